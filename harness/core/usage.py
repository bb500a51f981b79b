"""How much of a disk things take."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path


def used(*paths: Path) -> int:
    """Bytes of files and of all below folders; what has several names (hard links) counts once. Links are not followed."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for entry in _entries(paths):
        try:
            about = os.lstat(entry)
        except FileNotFoundError:  # a running stage has just removed it
            continue
        if (about.st_dev, about.st_ino) not in seen:
            seen.add((about.st_dev, about.st_ino))
            total += about.st_blocks * 512  # a sparse file takes what is written
    return total


def _entries(paths: Iterable[Path]) -> Iterator[str | Path]:
    for path in paths:
        yield path
        for parent, folders, names in os.walk(path):
            yield from (f"{parent}/{name}" for name in (*folders, *names))
