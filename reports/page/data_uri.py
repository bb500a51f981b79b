"""Content as an address of its own, so that a page needs no other file."""

import base64
import io

import matplotlib.image

from reports.figures.sheet import Pixels


def data_uri(kind: str, content: bytes) -> str:
    """The content of that media type as a data URI."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def image_uri(image: Pixels) -> str:
    """The picture uint8 [H, W, 3] as a data URI, each pixel as it is."""
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, image, format="png", metadata={"Software": ""})
    return data_uri("image/png", buffer.getvalue())


def photo_uri(image: Pixels) -> str:
    """The same in a tenth of the bytes, where each pixel does not matter."""
    buffer = io.BytesIO()
    matplotlib.image.imsave(buffer, image, format="jpeg", pil_kwargs={"quality": 70})
    return data_uri("image/jpeg", buffer.getvalue())
