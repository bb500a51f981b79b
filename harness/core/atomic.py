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
        with fresh.open("rb") as written:
            os.fsync(written.fileno())
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Replace a JSON file at once. Raises OSError."""
    with replacing(path) as fresh:
        fresh.write_text(json.dumps(value, indent=1))
