"""A thinned past: the last frames, and every few of the older ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from svi.memory.memory import Frame, counted


@dataclass(frozen=True)
class Sparse:
    """The last `last` frames; of those before, every `every`-th of the film, the newest `older` of them.

    Raises ValueError for negative numbers, and where `every` is 0.
    """

    last: int
    every: int
    older: int

    def __post_init__(self) -> None:
        counted(last=self.last, older=self.older)
        if self.every < 1:
            raise ValueError(f"every of a memory: received {self.every}, expected 1 or more")

    @classmethod
    def of(cls, settings: Any) -> Self:
        """As `settings.cache` says."""
        cache = settings.cache
        return cls(cache.frames - cache.first, cache.every, cache.first)

    def keep(self, frames: Sequence[Frame]) -> list[Frame]:
        begin = max(0, len(frames) - self.last)
        thinned = [frame for frame in frames[:begin] if frame.index % self.every == 0]
        return [*thinned[max(0, len(thinned) - self.older) :], *frames[begin:]]
