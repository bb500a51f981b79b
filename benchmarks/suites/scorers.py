"""A suite of scorers: metrics whose needs the films do not meet are missing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import FrameScorer, Metric, Scorer
from benchmarks.suites.suite import Films, FilmScorer, FilmScores, Progress, Reasons, Scores, film_by_film


class ScorerSuite:
    """Of scorers that load no weights (protocol: benchmarks.suites.suite.Suite)."""

    weights: Mapping[str, Mapping[str, str]] = MappingProxyType({})

    def __init__(self, name: str, version: str, scorers: Sequence[Scorer]) -> None:
        self.name, self.version, self.scorers = name, version, scorers

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(metric for scorer in self.scorers for metric in scorer.metrics)

    def missing(self, films: Films) -> Reasons:
        reasons = {
            metric.name: next((why for need in metric.needs if (why := films.missing(need))), None)
            for metric in self.metrics
        }
        return {name: why for name, why in reasons.items() if why is not None}

    def film_scorer(self, films: Films) -> FilmScorer:
        missing = self.missing(films)
        runnable = [s for s in self.scorers if not any(metric.name in missing for metric in s.metrics)]

        def of_film(index: int) -> FilmScores:
            film, found = films.film(index), FilmScores()
            for one in runnable:
                if isinstance(one, FrameScorer):
                    frames = one.frames(film)
                    found.frames |= frames
                    found.values |= one.means(film, frames)
                else:
                    found.values |= self.scored(one, film)
            return found

        return of_film

    def score(self, films: Films, work: Path, progress: Progress) -> Scores:
        return film_by_film(films, work, progress, self.film_scorer(films))

    def scored(self, scorer: Scorer, film: Film) -> Mapping[str, Floats | float]:
        """What a scorer gives for a film."""
        return scorer.score(film)
