"""The embedded suite: what can be said of a film with numpy alone, and with what is known of its world."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from benchmarks.scorers.drift import DriftScorer
from benchmarks.scorers.fidelity import FidelityScorer
from benchmarks.scorers.forecast import ForecastScorer
from benchmarks.scorers.metric import Scorer
from benchmarks.scorers.truth import TruthScorer
from benchmarks.suites import EMBEDDED, VERSIONS
from benchmarks.suites.suite import Films, FilmScores, Progress, Reasons, Scores, film_by_film

SCORERS: tuple[Scorer, ...] = (TruthScorer(), FidelityScorer(), DriftScorer(), ForecastScorer())


class EmbeddedSuite:
    """Truth, fidelity, drift and forecast: metrics whose needs are not met are missing."""

    name, version = EMBEDDED, VERSIONS[EMBEDDED]
    weights: Mapping[str, Mapping[str, str]] = MappingProxyType({})
    metrics = tuple(metric for scorer in SCORERS for metric in scorer.metrics)

    def missing(self, films: Films) -> Reasons:
        reasons = {
            metric.name: next((why for need in metric.needs if (why := films.missing(need))), None)
            for metric in self.metrics
        }
        return {name: why for name, why in reasons.items() if why is not None}

    def score(self, films: Films, work: Path, progress: Progress) -> Scores:
        missing = self.missing(films)
        runnable = [s for s in SCORERS if not any(metric.name in missing for metric in s.metrics)]

        def of_film(index: int) -> FilmScores:
            film = films.film(index)
            return FilmScores({name: value for scorer in runnable for name, value in scorer.score(film).items()})

        return film_by_film(films, work, progress, of_film)
