"""Shots of a video: where it cuts, by how much hue, saturation and brightness change from a frame to the next.

The rule is that of the ContentDetector of PySceneDetect 0.6.1 with its defaults, which LatentSync evaluates with: frames
about 256 pixels wide, 8-bit HSV with hue in half degrees, a cut where the mean absolute change of the three channels is
at least 27, and at least 15 frames between cuts. It is written here because the library brings OpenCV and reads videos
by itself, which would decode them once more. OpenCV converts to HSV by tables, so that single pixels differ by 1.
"""

import numpy as np

from benchmarks.arrays import Floats, UInt8
from benchmarks.sync.resize import resize

THRESHOLD = 27.0
FEWEST_FRAMES = 15
_WIDTH = 256
_SIXTH = 30.0  # half degrees


class Shots:
    """Fed a video's frames in order, knows the frames at which its shots begin; holds one small frame."""

    def __init__(self) -> None:
        self._starts = [0]
        self._frames = 0
        self._last: Floats | None = None

    def feed(self, frame: UInt8, times: int = 1) -> None:
        """The next frame, RGB [H, W, 3], shown `times` times."""
        channels = hsv(_smaller(frame))
        if self._last is not None:
            change = np.abs(channels - self._last).mean()
            if change >= THRESHOLD and self._frames - self._starts[-1] >= FEWEST_FRAMES:
                self._starts.append(self._frames)
        self._last = channels
        self._frames += times

    def slices(self) -> list[slice]:
        """The shots in order; together they are the whole video."""
        return [slice(*ends) for ends in zip(self._starts, [*self._starts[1:], self._frames], strict=True)]


def hsv(image: UInt8) -> Floats:
    """RGB [H, W, 3] -> hue in half degrees, 0..179, saturation and value, 0..255, whole numbers [H, W, 3]."""
    red, green, blue = pixels = image.astype(np.float64).transpose(2, 0, 1)
    value = pixels.max(axis=0)
    spread = value - pixels.min(axis=0)
    divisor = np.where(spread > 0, spread, 1)
    sixths = np.select(
        [value == red, value == green],
        [(green - blue) / divisor, 2 + (blue - red) / divisor],
        4 + (red - green) / divisor,
    )
    hue = np.rint(_SIXTH * (sixths % 6)) % (6 * _SIXTH)
    saturation = np.rint(255 * spread / np.where(value > 0, value, 1))
    return np.stack([hue, saturation, value], axis=-1)


def _smaller(frame: UInt8) -> UInt8:
    height, width = frame.shape[:2]
    factor = max(width // _WIDTH, 1)
    return frame if factor == 1 else resize(frame, round(height / factor), round(width / factor))
