"""A suite of one scorer that is not this project's: what it declares and what it gives are held against each other."""

import re
import traceback
from collections.abc import Mapping
from itertools import chain
from typing import get_args

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import Direction, Metric, Scorer
from benchmarks.suites import OTHERS
from benchmarks.suites.derived import METRICS as DERIVED
from benchmarks.suites.driven import WORLD_METRICS
from benchmarks.suites.scorers import ScorerSuite
from benchmarks.vbench.files import FILES

PER, NEEDS = ("clip", "film"), ("truth", "continuation")
TAKEN = {*WORLD_METRICS, *FILES, *DERIVED, *(f"{name}.official" for name in FILES), *chain(*OTHERS.values())}


class OwnSuite(ScorerSuite):
    """One scorer; `version` tells scores of it apart that are not comparable."""

    def __init__(self, name: str, version: str, scorer: Scorer) -> None:
        """Raises ValueError as `checked_metrics`."""
        checked_metrics(name, scorer.metrics)
        super().__init__(name, version, (scorer,))

    def scored(self, scorer: Scorer, film: Film) -> Mapping[str, Floats | float]:
        """Raises ValueError for what the scorer fails of, and for anything but what its metrics say."""
        try:
            found = scorer.score(film)
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[-1].lineno
            raise ValueError(f"{self.name}.score: {type(error).__name__}: {error} (line {line})") from error
        expected = {metric.name: (len(film.clips),) if metric.per == "clip" else () for metric in scorer.metrics}
        given = list(found) if isinstance(found, Mapping) else type(found).__name__
        if not isinstance(found, Mapping) or set(found) != set(expected):
            raise ValueError(f"{self.name}.score: received {given}, expected a value for each of {', '.join(expected)}")
        return {name: self._shaped(name, found[name], shape) for name, shape in expected.items()}

    def _shaped(self, metric: str, value: object, shape: tuple[int, ...]) -> Floats:
        try:
            array = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{self.name}.score: {metric} is {value!r:.80}, expected numbers") from error
        if array.shape != shape:
            wanted = f"{shape}, a number a clip (film.clip_means makes them of one a frame)" if shape else "one number"
            raise ValueError(f"{self.name}.score: {metric} has shape {array.shape}, expected {wanted}")
        return array


def checked_metrics(name: str, metrics: object) -> tuple[Metric, ...]:
    """What a scorer declares. Raises ValueError for what is no metric, or one that a built-in suite has."""
    if not isinstance(metrics, tuple) or not metrics or not all(isinstance(one, Metric) for one in metrics):
        raise ValueError(f"{name}.metrics: received {metrics!r:.80}, expected a tuple of one Metric or more")
    if len({metric.name for metric in metrics}) < len(metrics):
        raise ValueError(f"{name}.metrics: received a name twice, expected each once")
    for metric in metrics:
        if not re.fullmatch(r"[A-Za-z]\w{0,39}", metric.name):
            raise ValueError(
                f"metric of {name}: received name {metric.name!r}, expected letters, digits and _, at most 40"
            )
        if metric.name in TAKEN:
            raise ValueError(f"metric of {name}: a built-in suite has {metric.name!r}; give it another name")
        if metric.direction not in get_args(Direction):
            raise ValueError(f"{metric.name}: received direction {metric.direction!r}, expected higher, lower or none")
        if metric.per not in PER:
            raise ValueError(f"{metric.name}: received per {metric.per!r}, expected {' or '.join(PER)}")
        if unknown := [need for need in metric.needs if need not in NEEDS]:
            raise ValueError(f"{metric.name}: received needs {unknown[0]!r}, expected some of {', '.join(NEEDS)}")
    return metrics
