"""A sliding window: the last frames, and nothing that is older."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from svi.memory.memory import Frame, counted


@dataclass(frozen=True)
class Window:
    """The last `last` frames. Raises ValueError for a negative number."""

    last: int

    def __post_init__(self) -> None:
        counted(last=self.last)

    @classmethod
    def of(cls, settings: Any) -> Self:
        """As `settings.cache` says."""
        cache = settings.cache
        return cls(cache.frames)

    def keep(self, frames: Sequence[Frame]) -> list[Frame]:
        return list(frames[max(0, len(frames) - self.last) :])
