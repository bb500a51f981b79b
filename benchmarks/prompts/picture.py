"""The image that a film starts from, as the bytes of a file that every later step reads alike."""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image

VIEW_SIDE = 1024  # pixels; films are at most 832 wide, and a model's cost grows with the image
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png"}
_ORIENTATION = 0x0112  # EXIF


@dataclass(frozen=True)
class Picture:
    """An upright JPEG or PNG file's bytes; `source` says where it comes from."""

    data: bytes
    suffix: str
    source: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path, source: Mapping[str, Any] | None = None) -> "Picture":
        """The image of a file. Raises ValueError: it cannot be read or is no image."""
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ValueError(f"image: received {str(path)!r}, which cannot be read ({error.strerror})") from error
        return cls.decoded(data, source or {"kind": "file", "path": str(path)}, str(path))

    @classmethod
    def decoded(cls, data: bytes, source: Mapping[str, Any], name: str) -> "Picture":
        """A JPEG or PNG as it is; any other format, and an image that only its EXIF data turns upright, as a PNG.

        Raises:
            ValueError: `data` holds no image that Pillow reads.
        """
        from PIL import Image, ImageOps

        try:
            with Image.open(io.BytesIO(data)) as image:
                image.load()
                if image.format in _SUFFIXES and image.getexif().get(_ORIENTATION, 1) == 1:
                    return cls(data, _SUFFIXES[image.format], source)
                upright = ImageOps.exif_transpose(image).convert("RGB")
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise ValueError(f"image: received {name}, which is no image that can be read ({error})") from error
        encoded = io.BytesIO()
        upright.info = {}  # or the EXIF data would be saved with it
        upright.save(encoded, "PNG")
        return cls(encoded.getvalue(), ".png", source)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    def view(self) -> "Image":
        """What a model is shown: RGB, the longer side at most 1024 pixels."""
        from PIL import Image

        with Image.open(io.BytesIO(self.data)) as image:
            view = image.convert("RGB")
        view.thumbnail((VIEW_SIDE, VIEW_SIDE), Image.Resampling.LANCZOS)
        return view
