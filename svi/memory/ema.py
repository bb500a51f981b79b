"""A sink that learns: frames that leave the window flow into it (Reward Forcing's EMA-Sink, arXiv 2512.04678)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from svi.memory.memory import Frame, counted


@dataclass(frozen=True)
class Ema:
    """`first` frames that begin as the film's first, and the last `last` as they are.

    A frame that leaves enters the sink's frame at its index modulo `first`: k <- decay k + (1 - decay) k', and the values likewise;
    with a sink of a block's size, each frame of a block has its own. The keys are those before the rotary embedding. Raises
    ValueError for numbers of frames that are negative, and for a decay outside [0, 1].
    """

    first: int
    last: int
    decay: float = 0.999

    def __post_init__(self) -> None:
        counted(first=self.first, last=self.last)
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay of a memory: received {self.decay}, expected 0 to 1")

    @classmethod
    def of(cls, settings: Any) -> Self:
        """As `settings.cache` says."""
        cache = settings.cache
        return cls(cache.first, cache.frames - cache.first, cache.decay)

    def keep(self, frames: Sequence[Frame]) -> list[Frame]:
        sink, rest = list(frames[: self.first]), frames[self.first :]
        leaving = max(0, len(rest) - self.last)
        for frame in rest[:leaving] if sink else ():
            row = frame.index % self.first
            sink[row] = sink[row].towards(frame, 1 - self.decay)
        return [*sink, *rest[leaving:]]
