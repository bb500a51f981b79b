"""What keeps two equally good films from being the same: small differences that no drift is, and an encoder.

Every film passes through both, drifted or not, so that a metric must tell a drift from them.
"""

import io
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from benchmarks.arrays import Array, Floats, UInt8

CAST = 0.01  # each channel's gain, for the whole film (standard deviation)
WANDER = 0.005  # of the film's gain, over time (standard deviation)
PERIODS = (5.0, 50.0)  # seconds in which it wanders
GRAIN = 1.0  # levels of 255 (standard deviation)
# At full colour resolution: half of 16 pixels would swamp what is measured. Leaves 41 to 42 dB, about what an enlarged mp4 does.
ENCODER = {"crf": "10", "preset": "veryfast", "bf": "0", "threads": "1"}
WATCHED = {**ENCODER, "crf": "16"}
SHORTEST = 128  # pixels: smaller frames are enlarged in a video that is kept
_WAVES = 4


def ordinary(frames: Array, fps: float, seed: tuple[int, ...]) -> UInt8:
    """The same film, uint8 [F, H, W, 3], as it might have come out just as well: its own cast, a gain that wanders, and grain."""
    rng = np.random.default_rng(seed)
    cast = 1 + CAST * rng.standard_normal(3)
    gain = 1 + WANDER * _wandering(rng, len(frames), fps)
    grain = rng.standard_normal(frames.shape, dtype=np.float32)
    return np.asarray(np.rint(np.clip(frames * gain[:, None, None, None] * cast + GRAIN * grain, 0, 255)), np.uint8)


def _wandering(rng: np.random.Generator, frames: int, fps: float) -> Floats:
    """A sum of slow waves of standard deviation 1. [F]"""
    periods = np.exp(rng.uniform(np.log(PERIODS[0]), np.log(PERIODS[1]), _WAVES))
    phases = rng.uniform(0, 2 * np.pi, _WAVES)
    angle = 2 * np.pi * np.arange(frames)[:, None] / fps / periods + phases
    return np.asarray(np.sin(angle).sum(axis=1) * np.sqrt(2 / _WAVES))


def coded(frames: UInt8, fps: float) -> UInt8:
    """What is left of frames [F, H, W, 3] after H.264."""
    file = io.BytesIO()
    _encode(file, frames, fps, "yuv444p", ENCODER)
    file.seek(0)
    to_rgb = VideoReformatter()  # one for all frames: a frame's own would cost fifty times the decoding
    with av.open(file, "r") as container:
        container.streams.video[0].codec_context.thread_count = 1
        images = [to_rgb.reformat(frame, format="rgb24").to_ndarray() for frame in container.decode(video=0)]
    return np.stack(images).astype(np.uint8, copy=False)


def write_mp4(path: Path, frames: UInt8, fps: float) -> None:
    """As a video that any program reads; small frames are enlarged by a whole factor."""
    factor = max(1, -(-SHORTEST // min(frames.shape[1:3])))
    _encode(path, np.repeat(np.repeat(frames, factor, axis=1), factor, axis=2), fps, "yuv420p", WATCHED)


def _encode(file: io.BytesIO | Path, frames: UInt8, fps: float, pixels: str, options: dict[str, str]) -> None:
    with av.open(file if isinstance(file, io.BytesIO) else str(file), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=round(fps), options=options)
        stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], pixels
        for image in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
