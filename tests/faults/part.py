"""What is interfered with: a piece of work that the same call goes on with, and how to tell its result."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

Result = Mapping[str, str]  # name -> digest
# Where to work: what is lost by a cut of power is decided by tests/faults/power.py, so that flushing may cost nothing.
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # noqa: PTH112


def nothing(_: Path) -> None:
    """No preparation, or no check."""


@dataclass(frozen=True)
class Part:
    """`act` on a folder begins the work or goes on with it; `result` is what it must end in, whatever happened before.

    `prepare` fills the empty folder first. `sound` is asked after a fault, before anything is mended: it raises where a reader
    would be given something that is not whole. `lines`: files (ends of paths) between whose lines the work is stopped too.
    """

    name: str
    act: Callable[[Path], object]
    result: Callable[[Path], Result]
    prepare: Callable[[Path], object] = nothing
    sound: Callable[[Path], object] = nothing
    lines: tuple[str, ...] = ()


def digest(content: bytes) -> str:
    """SHA-256, short."""
    return hashlib.sha256(content).hexdigest()[:16]


def digests(folder: Path, *patterns: str) -> Result:
    """Of the files that match."""
    files = [file for pattern in patterns for file in sorted(folder.glob(pattern)) if file.is_file()]
    return {file.relative_to(folder).as_posix(): digest(file.read_bytes()) for file in files}
