"""Files that are either whole or not there, and a look at the free space before much is written."""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from secrets import token_hex

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no space, over the quota, over the process's limit on a file
HALF = ".part"  # end of the name of a file in the making


@contextmanager
def replacing(file: Path, folder: Path | None = None) -> Iterator[Path]:
    """A path to write to, which takes the place of `file` when the block ends, flushed to the disk; after an error it is removed.

    It lies in `folder` of the same file system, None: beside `file`, and has a name that no other writer has. A killed process
    leaves it behind. Raises OSError.
    """
    fresh = (folder or file.parent) / f".{token_hex(8)}{HALF}"
    fresh.touch(exist_ok=False)  # with the permissions of any new file, which tempfile's do not have
    try:
        yield fresh
        flush(fresh)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)
    flush(file.parent)  # makes the rename itself durable


@contextmanager
def founding(file: Path) -> Iterator[Path]:
    """The same for a file that several processes need and none may replace: the first one's is there, the others' are dropped."""
    fresh = file.parent / f".{token_hex(8)}{HALF}"
    try:
        yield fresh
        flush(fresh)
        with suppress(FileExistsError):
            file.hardlink_to(fresh)
    finally:
        fresh.unlink(missing_ok=True)
    flush(file.parent)


def write_whole(file: Path, content: bytes) -> None:
    """An interruption leaves the file as it was. Raises OSError."""
    with replacing(file) as fresh:
        fresh.write_bytes(content)


def remove_halves(folder: Path) -> None:
    """Remove what killed processes left of files in `folder`, which must be this writer's alone."""
    for half in folder.glob(f".*{HALF}"):
        half.unlink()


def flush(path: Path) -> None:
    """A file's content, or a folder's names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def is_full(error: OSError) -> bool:
    """Whether the error says that no more can be written there."""
    return error.errno in FULL


def require_space(folder: Path, needed: int, what: str, remedy: str) -> None:
    """Raises ValueError if fewer than `needed` bytes are free where `folder` lies."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise ValueError(f"{what} needs {size(needed)}, but only {size(free)} are free at {folder}; {remedy}")


def size(count: int) -> str:
    """For people: 1234567 -> 1.2 MB"""
    for unit, scale in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count} B"
