"""Figures composed and never drawn, for tests of what stands around them: drawing them is most of a small report's time."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

from matplotlib.figure import Figure
from PIL import Image


@contextmanager
def undrawn() -> Iterator[None]:
    """Every figure is saved as an empty picture of its format, and none is laid out."""
    with patch.object(Figure, "savefig", _save_empty), patch.object(Figure, "draw_without_rendering"):
        yield


def _save_empty(_: Figure, file: Any, *, format: str, **__: object) -> None:
    if format == "svg":
        file.write('<svg xmlns="http://www.w3.org/2000/svg"/>')
        return
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, format)
    file.write(buffer.getvalue())
