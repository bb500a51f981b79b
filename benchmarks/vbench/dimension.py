"""Dimensions of VBench: what one is, what it is told of a video, and what it gives for it."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from benchmarks.film import Floats
from benchmarks.vbench.weights import WeightFile

UInt8 = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its frames: `fps` frames a second, `frames` of `height` x `width` pixels."""

    name: str
    fps: float
    frames: int
    height: int
    width: int


@dataclass(frozen=True, eq=False)
class DimensionScore:
    """One video's score in one dimension.

    `value` is on VBench's own scale for a video, `weight` what it counts in the mean over videos; `frames`, float64
    [F], are the values that curves are drawn from, NaN where a frame has none.
    """

    value: float
    weight: float
    frames: Floats


class Dimension(Protocol):
    """Scores one video at a time: `begin`, then `feed` with blocks of its frames in order, then `end`.

    Its memory may grow with a block and with a few numbers a frame, never with the pixels of a video.
    """

    @property
    def name(self) -> str:
        """VBench's own name, such as "subject_consistency"."""

    @property
    def about(self) -> str:
        """One sentence: what the number means."""

    @property
    def version(self) -> str:
        """Rises whenever scores stop being comparable."""

    @property
    def files(self) -> tuple[WeightFile, ...]:
        """The weights that it needs."""

    def begin(self, video: VideoInfo) -> None: ...

    def feed(self, frames: UInt8) -> None:
        """RGB frames [B, H, W, 3], the next ones of the video."""

    def end(self) -> DimensionScore: ...
