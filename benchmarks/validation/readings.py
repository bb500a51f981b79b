"""What a metric says of one film, as one number: what it ends at, how far it fell, or its value of the whole film."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from benchmarks.arrays import Floats, known_mean
from benchmarks.scorers.metric import Direction, Metric
from benchmarks.suites.record import WINDOW
from benchmarks.suites.suite import Films, Scores, Suite

LATE_SHARE = 0.2  # of the clips, as in a report


class Reading(NamedTuple):
    """A metric's `late` value (mean over the last 20 % of clips), its `drop` (first clip minus late), or that of the `film`."""

    metric: str
    statistic: Literal["late", "drop", "film"]
    direction: Direction

    def worse(self, values: Floats) -> Floats:
        """The same on a scale on which more is worse; as they are where neither way is better."""
        falls = self.direction == "higher"
        return -values if falls != (self.statistic == "drop") and self.direction != "none" else values


def readings(films: Films, suite: Suite, work: Path) -> dict[Reading, Floats]:
    """Every reading [S] of the films that the suite can give."""
    missing = suite.missing(films)
    metrics = [metric for metric in suite.metrics if metric.name not in missing and metric.per != "set"]
    scores = suite.score(films, work, lambda _done, _of: None) if metrics else Scores()
    return {reading: values for metric in metrics for reading, values in _of(metric, scores)}


def _of(metric: Metric, scores: Scores) -> Iterator[tuple[Reading, Floats]]:
    for name in (metric.name, metric.name + WINDOW):
        values = scores.values.get(name)
        if values is None:
            continue
        if values.ndim == 1:
            yield Reading(metric.name, "film", metric.direction), values
        else:
            late = known_mean(values[:, -max(1, round(LATE_SHARE * values.shape[1])) :])
            yield Reading(metric.name, "late", metric.direction), late
            yield Reading(metric.name, "drop", metric.direction), values[:, 0] - late


def joined(parts: Sequence[dict[Reading, Floats]]) -> dict[Reading, Floats]:
    """Readings of several films each, of all of them."""
    return {reading: np.stack([part[reading] for part in parts]) for reading in parts[0]}
