"""Files that are either whole or not there, and a look at the free space before much is written."""

import errno
import os
import shutil
from pathlib import Path

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # no space, over the quota, over the process's limit on a file


def write_whole(file: Path, content: bytes) -> None:
    """Write under another name, flush to the disk, then rename: an interruption leaves the file as it was. Raises OSError."""
    fresh = file.with_name(f"{file.name}.part")
    try:
        with fresh.open("wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        fresh.replace(file)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
    folder = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # makes the rename itself durable
    finally:
        os.close(folder)


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
