"""Checksums of a finished artifact: of each file its size, its time of change (ns) and its SHA-256, kept in the manifest."""

import hashlib
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from harness.core.atomic import flush

FILES = "files"  # key of a manifest; artifacts of before it have none
Sums = dict[str, list[int | str]]  # path within the artifact -> size, time of change, SHA-256


class Fault(NamedTuple):
    """A file, by its path within the artifact, that is not as it was written."""

    file: str
    what: str


def checksums(folder: Path, without: Collection[str] = (), *, durable: bool = False) -> Sums:
    """Of all files below a folder but the top ones named in `without`; `durable`: each is on the disk when this returns.

    Raises OSError.
    """
    found: Sums = {}
    for file in sorted(_files(folder)):
        name = file.relative_to(folder).as_posix()
        if name in without:
            continue
        if durable:
            flush(file)
        about = file.stat()
        found[name] = [about.st_size, about.st_mtime_ns, _digest(file)]
    if durable:
        for inner, _, _ in os.walk(folder):
            flush(Path(inner))
    return found


def readable(sums: object) -> bool:
    """Whether this is `Sums`; a manifest that somebody changed may hold anything."""
    return isinstance(sums, dict) and all(
        _is_name(name) and isinstance(about, list) and [type(one) for one in about] == [int, int, str]
        for name, about in sums.items()
    )


def _is_name(text: str) -> bool:
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def faults(folder: Path, sums: Mapping[str, list[int | str]], *, whole: bool = False) -> tuple[list[Fault], Sums]:
    """What is not as it was written, and the checksums with the present times of files whose contents are.

    A file of the same size and time is taken to be the same, unless `whole`; another is read.
    """
    found: list[Fault] = []
    now: Sums = {}
    for name, (size, changed, digest) in sums.items():
        now[name] = [size, changed, digest]
        try:
            about = (folder / name).stat()
            if about.st_size != size:
                found.append(Fault(name, f"has {about.st_size} bytes, had {size}"))
            elif whole or about.st_mtime_ns != changed:
                if (here := _digest(folder / name)) != digest:
                    found.append(
                        Fault(name, f"its bytes have changed (SHA-256 {here[:12]}..., was {str(digest)[:12]}...)")
                    )
                else:
                    now[name] = [size, about.st_mtime_ns, digest]
        except FileNotFoundError:
            found.append(Fault(name, "is gone"))
        except OSError as error:
            found.append(Fault(name, f"cannot be read ({error.strerror})"))
    return found, now


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
