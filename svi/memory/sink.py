"""An attention sink: the first frames for ever, and the last ones (StreamingLLM, arXiv 2309.17453; LongLive, arXiv 2509.22622)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from svi.memory.memory import Frame, counted


@dataclass(frozen=True)
class Sink:
    """The film's first `first` frames and its last `last`. Raises ValueError for negative numbers."""

    first: int
    last: int

    def __post_init__(self) -> None:
        counted(first=self.first, last=self.last)

    @classmethod
    def of(cls, settings: Any) -> Self:
        """As `settings.cache` says."""
        cache = settings.cache
        return cls(cache.first, cache.frames - cache.first)

    def keep(self, frames: Sequence[Frame]) -> list[Frame]:
        return [*frames[: self.first], *frames[max(self.first, len(frames) - self.last) :]]
