"""What a result depends on, as one hash: a stage is a pure function of what its signature covers."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from harness.core.atomic import write_json
from harness.core.errors import UseError

SCHEME = 1  # raised when the same settings are hashed in another way
Role = Literal["identity", "runtime"]
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@cache
def leaves(model_class: type[BaseModel]) -> dict[str, FieldInfo]:
    """Every field of the nested sections by its dotted name, in declared order."""
    found: dict[str, FieldInfo] = {}
    for name, field in model_class.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            found |= {f"{name}.{inner}": leaf for inner, leaf in leaves(field.annotation).items()}
        else:
            found[field.alias or name] = field
    return found


def unmarked(model_class: type[BaseModel]) -> list[str]:
    """Dotted names of the fields that are marked neither identity nor runtime."""
    return [name for name, field in leaves(model_class).items() if _role(field) not in ("identity", "runtime")]


def flat(model: BaseModel, role: Role | None = None) -> dict[str, Any]:
    """Settings as dotted name -> JSON value; of one role, or all."""
    nested = model.model_dump(mode="json", by_alias=True)
    return {name: _at(nested, place) for name, place in _places(type(model), role).items()}


@cache
def _places(model_class: type[BaseModel], role: Role | None) -> dict[str, list[str]]:
    """Dotted name -> the names that lead to its value: a plan of thousands of variants asks for them as often."""
    return {name: name.split(".") for name, field in leaves(model_class).items() if role in (None, _role(field))}


def unhashed(model: BaseModel) -> dict[str, Any]:
    """The fields that are younger than results and stand at their default: they enter no signature (dotted name -> value)."""
    return {name: usual for name, usual in _young(type(model)).items() if attrgetter(name)(model) == usual}


@cache
def _young(model_class: type[BaseModel]) -> dict[str, Any]:
    """The fields that are younger than results, with their defaults."""
    usual = model_class()
    return {name: attrgetter(name)(usual) for name, field in leaves(model_class).items() if _extra(field).get("later")}


def signature(kind: str, version: int, identity: Mapping[str, Any], upstream: Mapping[str, str | Sequence[str]]) -> str:
    """SHA-256 hex digest of all that determines an artifact; the order of keys does not matter."""
    whole = {"scheme": SCHEME, "kind": kind, "version": version, "identity": identity, "upstream": upstream}
    return hashlib.sha256(canonical(whole).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no spaces; floats by their shortest exact representation."""
    return _ENCODER.encode(value)


def fingerprint(path: Path, cache_file: Path) -> str:
    """SHA-256 hex digest of a file, or of the names and contents of a folder's files, hidden ones left out.

    `cache_file` remembers digests by path, size and time of change, so that unchanged files are not read again; losing
    it is safe. Raises UseError when there is nothing at `path`.
    """
    if not path.exists():
        raise UseError(f"{path}: no such file or folder (looked in {path.parent.absolute()})")
    known = _load(cache_file)
    before = dict(known)
    if path.is_file():
        digest = _file_digest(path, known)
    else:
        lines = [f"{file.relative_to(path).as_posix()}\0{_file_digest(file, known)}\n" for file in sorted(_files(path))]
        digest = hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()
    if known != before:
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        write_json(cache_file, known)
    return digest


def _role(field: FieldInfo) -> object:
    return _extra(field).get("role")


def _extra(field: FieldInfo) -> Mapping[str, object]:
    extra = field.json_schema_extra
    return extra if isinstance(extra, dict) else {}


def _at(nested: Mapping[str, Any], place: Sequence[str]) -> Any:
    value: Any = nested
    for part in place:
        value = value[part]
    return value


def _load(cache_file: Path) -> dict[str, Any]:
    try:
        known = json.loads(cache_file.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _files(folder: Path) -> Iterator[Path]:
    # Links are followed: a data folder is often made of links to another disk.
    for parent, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _file_digest(path: Path, known: dict[str, Any]) -> str:
    try:
        about = path.stat()
        key, state = str(path.absolute()), [about.st_size, about.st_mtime_ns]
        entry = known.get(key)
        if not (isinstance(entry, list) and entry[:-1] == state):
            with path.open("rb") as file:
                known[key] = [*state, hashlib.file_digest(file, "sha256").hexdigest()]
    except OSError as error:
        what = "a link that leads nowhere" if path.is_symlink() and not path.exists() else str(error.strerror).lower()
        raise UseError(f"{path} cannot be read ({what}); bring it back, or take it out of its folder") from error
    return str(known[key][-1])
