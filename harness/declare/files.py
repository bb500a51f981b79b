"""Files of one's own: what they declare, by "path/to/file.py:NAME"."""

import hashlib
import runpy
import sys
import traceback
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from harness.core.errors import UseError
from harness.core.registry import Registry

T = TypeVar("T")


def of_file(reference: str) -> bool:
    """Whether it names something in a file, not by a name alone."""
    return ".py:" in reference or reference.endswith(".py")


def load_declared(reference: str, registry: Registry[T], kind: type[T] | tuple[type[T], ...], how: str) -> T:
    """What is registered by that name, or what a user's file declares by "path/to/file.py:name". Raises UseError.

    `how` says how one is declared, for a file that has none. A class counts where it is written, not where it is imported.
    """
    if not of_file(reference):
        return registry.get(reference)
    file, _, name = reference.rpartition(":") if ".py:" in reference else (reference, "", "")
    declared = _load(Path(file)).items()
    found = {key: value for key, value in declared if isinstance(value, kind) and _of_its_own(value, file)}
    if name not in found:
        said = f"there is no {registry.noun} {name!r} in {file}" if name else f"{file} names a file only"
        raise UseError(f"{said}; expected {file}:NAME with a NAME of: {', '.join(found) or f'none ({how})'}")
    return found[name]


def digest(file: Path) -> str:
    """SHA-256 of its content, hexadecimal."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def problems_text(error: ValidationError) -> str:
    """Each wrong value in a clause: its key, what was received, and why it is refused."""
    return "; ".join(f"{dotted(one['loc'])}={one['input']!r}: {one['msg']}" for one in error.errors())


def dotted(location: Sequence[object]) -> str:
    """Where in some settings, as it is typed."""
    return ".".join(map(str, location))


def _of_its_own(value: object, file: str) -> bool:
    return not isinstance(value, type) or value.__module__ == Path(file).stem


def _load(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise UseError(f"no file {path} (looked in {Path.cwd()}); expected path/to/file.py:name")
    folder = str(path.parent.absolute())
    if folder not in sys.path:  # as for a script: its neighbours can be imported
        sys.path.insert(0, folder)
    return _run(path, str(path.absolute()), digest(path))


@lru_cache(maxsize=64)  # a plan asks for the same few parts of every variant
def _run(path: Path, _place: str, _content: str) -> Mapping[str, Any]:
    """The names that a file of this content gives. Raises UseError for one that cannot be run."""
    try:
        return runpy.run_path(str(path), run_name=path.stem)
    except (Exception, SystemExit) as error:
        if isinstance(error, ValidationError):
            what = f"{error.title}: {problems_text(error)}"
        elif isinstance(error, ImportError) and error.name == "harness":
            what = f"{error}; expected one of: {', '.join(sys.modules[error.name].__all__)}"
        else:
            what = str(error) if isinstance(error, UseError) else f"{type(error).__name__}: {error}".removesuffix(": ")
        line = _line(error, path)
        raise UseError(f"{path}{f', line {line}' if line else ''}: {what}") from error


def _line(error: BaseException, path: Path) -> int | None:
    """The last line of the user's own file that led to the error."""
    if isinstance(error, SyntaxError):
        return error.lineno
    frames = traceback.extract_tb(error.__traceback__)
    return next((f.lineno for f in reversed(frames) if Path(f.filename).absolute() == path.absolute()), None)
