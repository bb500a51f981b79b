"""Scorers: what a metric declares, and what gives it for a film.

A metric whose needs are missing is skipped with the reason; it is never given as zero.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from benchmarks.arrays import Floats
from benchmarks.films.film import Film, Need

Direction = Literal["higher", "lower", "none"]


@dataclass(frozen=True)
class Metric:
    """What a number means: `direction` of better, `per` clip, film, both, or set of films, what the film must bring, one
    sentence."""

    name: str
    direction: Direction
    version: str
    unit: str
    per: Literal["clip", "film", "both", "set"]
    needs: tuple[Need, ...]
    about: str


class Scorer(Protocol):
    """Gives every one of its metrics for a film: an array [n_clips] or a float; NaN where it is undefined."""

    @property
    def metrics(self) -> tuple[Metric, ...]: ...

    def score(self, film: Film) -> Mapping[str, Floats | float]: ...


class FrameScorer(ABC):
    """A scorer whose metrics are means over each clip's frames; the frames' values are kept as well (frames.npz)."""

    metrics: tuple[Metric, ...]

    @abstractmethod
    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F] for each metric, NaN where a frame has no value."""

    def score(self, film: Film) -> Mapping[str, Floats]:
        """[n_clips] for each metric."""
        return self.means(film, self.frames(film))

    def means(self, film: Film, frames: Mapping[str, Floats]) -> Mapping[str, Floats]:
        """The same of what `frames` gave."""
        return {name: film.clip_means(values) for name, values in frames.items()}
