"""A deep sink: half of what is kept is the film's beginning (Deep Forcing, arXiv 2512.05081; without its pruning of tokens)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from svi.memory.memory import Frame, counted
from svi.memory.sink import Sink


@dataclass(frozen=True)
class Half:
    """`frames` frames: the film's first half as many, and its last ones. Raises ValueError for a negative number."""

    frames: int

    def __post_init__(self) -> None:
        counted(frames=self.frames)

    @classmethod
    def of(cls, settings: Any) -> Self:
        """As `settings.cache` says."""
        cache = settings.cache
        return cls(cache.frames)

    def keep(self, frames: Sequence[Frame]) -> list[Frame]:
        first = self.frames // 2
        return Sink(first, self.frames - first).keep(frames)
