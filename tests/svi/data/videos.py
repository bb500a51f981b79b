"""Videos of known frames, whole and torn, for the tests of footage, of its files and of the cache."""

from pathlib import Path

import numpy as np

from svi.generation.video import write_mp4


def make_video(file: Path, frames: int = 48, fps: int = 16) -> Path:
    """From black to nearly white, one level a frame."""
    ramp = np.linspace(0, 250, frames).astype(np.uint8)
    write_mp4(file, np.broadcast_to(ramp[:, None, None, None], (frames, 128, 192, 3)), fps, 128, 192)
    return file


def tear(file: Path, whole: Path, start: float, end: float) -> None:
    """A copy of a video with zeros between two shares of its bytes; the header stays."""
    content = bytearray(whole.read_bytes())
    first, last = max(int(len(content) * start), 40), int(len(content) * end)
    content[first:last] = bytes(last - first)
    file.write_bytes(content)


def levels(frames: np.ndarray) -> np.ndarray:
    """Mean grey of each frame."""
    return frames.reshape(len(frames), -1).mean(axis=1)
