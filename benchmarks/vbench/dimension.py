"""Dimensions of VBench: what one is, what it is told of a video, and what it gives for it."""

from dataclasses import dataclass
from typing import Protocol

from benchmarks.arrays import Floats, UInt8
from benchmarks.weights import WeightFile


@dataclass(frozen=True)
class VideoInfo:
    """What is known of a video before its frames: `fps` frames a second, `frames` of `height` x `width` pixels."""

    name: str
    fps: float
    frames: int
    height: int
    width: int


class Rule(Protocol):
    """How a dimension makes one value of a stretch of its frames' values [n], the first of them frame `start`."""

    def __call__(self, stretch: Floats, start: int) -> float: ...


@dataclass(frozen=True, eq=False)
class DimensionScore:
    """One video's score in one dimension, on 0..1.

    `frames`, float64 [F], are the values that everything else is made of, NaN where a frame has none; `weight` is what
    the video counts in the mean over videos.

    `value` is the whole video's, `of(start, stop)` that of the frames start..stop - 1 alone. A value that compares its
    frame with a neighbour counts only if the neighbour is among them too, so `of(0, stop)` is what the video would
    score if it were cut off there. Two things stay the whole video's: the first frame that consistency compares with,
    and which frames dynamic degree samples and motion smoothness foretells.
    """

    weight: float
    frames: Floats
    rule: Rule
    first: Floats | None = None

    @property
    def value(self) -> float:
        return self.of(0, len(self.frames))

    def of(self, start: int, stop: int) -> float:
        """The value of frames start..stop - 1; NaN where they have none, such as one frame without a neighbour.

        Raises:
            ValueError: no frames, or some beyond the video's.
        """
        if not 0 <= start < stop <= len(self.frames):
            raise ValueError(f"frames: received {start} to {stop}, expected some of 0 to {len(self.frames)}")
        return self.rule(self.frames[start:stop], start)


def mean_of_frames(stretch: Floats, start: int) -> float:
    """The rule of dimensions that look at every frame by itself."""
    return float(stretch.mean())


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
    def files(self) -> tuple[WeightFile, ...]: ...

    def begin(self, video: VideoInfo) -> None: ...

    def feed(self, frames: UInt8) -> None:
        """RGB frames [B, H, W, 3], the next ones of the video."""

    def end(self) -> DimensionScore: ...
