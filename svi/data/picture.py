"""A picture to start from, and what is kept of one that is brought to another shape: the middle, as large as it goes."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image


def open_upright(file: Path) -> "Image":
    """In RGB; turned as its camera noted, since a portrait is often stored lying on its side. Raises ValueError for no image."""
    from PIL import Image, ImageOps

    try:
        with Image.open(file) as image:
            return ImageOps.exif_transpose(image).convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file}: received no readable image ({error}), expected the first frame of a film") from error


def kept(height: int, width: int, to_height: int, to_width: int) -> tuple[slice, slice]:
    """Rows and columns of a picture of height x width that have the aspect of to_height x to_width."""
    rows, columns = round(width * to_height / to_width), round(height * to_width / to_height)
    rows, columns = min(height, max(1, rows)), min(width, max(1, columns))
    top, left = (height - rows) // 2, (width - columns) // 2
    return slice(top, top + rows), slice(left, left + columns)


def same_shape(height: int, width: int, pixels: int, multiple: int) -> tuple[int, int]:
    """A size of about so many pixels, both sides multiples, of which a picture of height x width loses next to nothing."""
    scale = (pixels / (height * width)) ** 0.5
    rows, columns = (max(1, round(side * scale / multiple)) * multiple for side in (height, width))
    return rows, columns
