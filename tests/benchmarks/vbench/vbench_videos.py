"""Small mp4 videos for the tests: a texture that moves, changes and gets noisier."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from benchmarks.arrays import UInt8

BT709 = 1


def moving_frames(count: int, height: int, width: int, seed: int = 0) -> UInt8:
    """RGB [F, H, W, 3]: coarse cells that slide, a wave over them, noise that grows, and another texture half-way."""
    rng = np.random.default_rng(seed)
    cells = rng.random((2, 9, 9, 3))
    y, x = np.mgrid[:height, :width]
    frames = []
    for t in range(count):
        texture = cells[2 * t // count, (y // 16) % 9, ((x + 3 * t) // 16) % 9]
        wave = np.sin((x + y + 5 * t) / 17)[..., None]
        noise = rng.standard_normal((height, width, 3)) * t / count
        frames.append(0.7 * texture + 0.15 + 0.15 * wave + 0.1 * noise)
    return np.asarray(np.clip(np.rint(255 * np.stack(frames)), 0, 255), dtype=np.uint8)


def write_video(
    path: Path, frames: UInt8, fps: int, colour: int | None = None, pixels: str = "yuv420p", index_first: bool = False
) -> Path:
    """An H.264 mp4, untagged unless `colour` (H.273's code) is given; `index_first` puts the index before the frames."""
    options = {"movflags": "faststart"} if index_first else {}
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream("libx264", rate=Fraction(fps), options={"crf": "12", "threads": "1"})
        stream.height, stream.width, stream.pix_fmt = frames.shape[1], frames.shape[2], pixels
        if colour is not None:
            context = stream.codec_context
            context.colorspace = context.color_primaries = context.color_trc = colour
        container.start_encoding()  # so that a video without frames is a file too
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return path
