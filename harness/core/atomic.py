"""Files that a reader sees whole: the old one or the new one, also after a power cut."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write, whose file then takes the place of `path` at once; after an exception `path` is as it was.

    The name is this writer's alone: a process id would be shared by its threads. Raises OSError.
    """
    fresh = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield fresh
        flush(fresh)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def remove_halves(folder: Path) -> None:
    """Remove what killed writers, those of svi.disk too, left in a folder in which nobody writes now. Raises OSError."""
    hexadecimal = "[0-9a-f]"
    for pattern in (f".*.{32 * hexadecimal}", f".{16 * hexadecimal}.part"):
        for half in folder.glob(pattern):
            half.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at once. Raises OSError."""
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(value, indent=1))


def write_text(path: Path, text: str) -> None:
    """Replace a text file at once, where a link leads too; what is no file, such as /dev/stdout, is written to. Raises OSError."""
    if path.exists() and not path.is_file():
        path.write_text(text, encoding="utf-8")
        return
    with replacing(path.resolve()) as fresh:
        fresh.write_text(text, encoding="utf-8")


def flush(path: Path) -> None:
    """A file's content, or a folder's names, to the disk. Raises OSError."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
