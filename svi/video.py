"""Writing films for people: H.264, untagged yuv420p."""

from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np

from svi.world import Frames

WATCHABLE = 128  # pixels: smaller frames are enlarged


def write_mp4(file: Path, frames: Iterable[Frames], fps: int, height: int, width: int) -> None:
    """Encode frames [H, W, 3] one by one; a small frame is enlarged by a whole factor so that a person can see it.

    Without a colour tag OpenCV, decord and PyAV decode the same values. Sides must be even once enlarged.
    """
    factor = max(1, -(-WATCHABLE // min(height, width)))
    with av.open(str(file), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "16", "preset": "veryfast", "threads": "1"})
        stream.height, stream.width, stream.pix_fmt = height * factor, width * factor, "yuv420p"
        for image in frames:
            big = np.repeat(np.repeat(image, factor, axis=0), factor, axis=1)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(big, format="rgb24")))
        container.mux(stream.encode())
