"""The smallest difference that films can show: the one that as many of them would call different in four studies of five."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import nctdtrinc, stdtrit  # type: ignore[import-untyped]

from reports.statistics.bootstrap import LEVEL, Floats, defined, student
from reports.statistics.trainings import Trainings

POWER = 0.8


def detectable(se: Floats, freedom: Floats, level: float | Floats) -> Floats:
    """By Student's t with these standard errors and degrees of freedom, two-sided at `level`, with `POWER`; NaN where unknown.

    The difference over its standard error has then a noncentral t distribution. Holm's correction tests the smallest p of m at
    1 / m of the level; that is the level to give.
    """
    se, freedom = np.asarray(se, np.float64), np.asarray(freedom, np.float64)
    critical = -stdtrit(freedom, np.asarray(level) / 2)
    found: Floats = se * nctdtrinc(freedom, 1 - POWER, critical)
    return found


def foreseen(trainings: Trainings, seeds: int, films: int, rows: int, trained: int, sides: int = 2) -> float:
    """`detectable` of a study of `rows` rows beside the baseline, `trained` trainings of each seed in all, before it is run.

    From what earlier trainings said: how far they shift a mean, and how far films of two rows differ. `sides`: of how many of
    two compared rows they do, none where both are films of the same training. One seed goes by the earlier trainings' own
    degrees of freedom, several by those that they will have.
    """
    shift = _found_again(trainings, trained * (seeds - 1), films) if seeds > 1 and trained else trainings
    one_film = trainings.paired + 2 * trainings.error / seeds
    se, freedom = student(one_film / films, films, shift.parts(seeds, sides))
    return float(detectable(se, freedom, (1 - LEVEL) / rows))


class Compared(NamedTuple):
    """A row beside the baseline: differences [seeds, samples], NaN where a pair is missing, how far trainings shift their mean
    (None where nothing tells), and of how many of the two rows they do."""

    table: Floats
    trainings: Trainings | None
    sides: int

    def detectable(self, seeds: float, films: float, level: float) -> float:
        """The smallest difference at `level`, in the measure's unit, with so many times its seeds and films, if all spreads stay as
        they are in it. By these alone: what the differences are on average does not matter. NaN of one seed or one film."""
        table, own = defined(self.table), Trainings.pooled([self.table], [self.table])
        if own is None:
            return math.nan
        had, (seeds, films) = len(table), (seeds * table.shape[0], films * table.shape[1])
        parts = []
        if self.trainings is not None:
            freedom = self.trainings.freedom * (seeds - 1) / (had - 1)
            parts = _found_again(self.trainings, freedom, films).parts(seeds, self.sides)
        se, freedom = map(float, student((own.paired + own.error / seeds) / films, films, parts))
        return float(detectable(np.array(se), np.array(freedom), level))


def shown_with(rows: Sequence[Compared], seeds: float, films: float, alpha: float) -> float:
    """How large the differences are that rows show with so many times their seeds and films, over those that they show now.

    The geometric mean over rows, each at 1 / rows of `alpha`; NaN where no row tells.
    """
    now = np.array([row.detectable(1, 1, alpha / len(rows)) for row in rows])
    then = np.array([row.detectable(seeds, films, alpha / len(rows)) for row in rows])
    told = (now > 0) & (then > 0)
    return float(np.exp(np.log(then[told] / now[told]).mean())) if told.any() else math.nan


def _found_again(trainings: Trainings, freedom: float, films: float) -> Trainings:
    """The same spreads, as so many degrees of freedom and films a seed would find them."""
    between = trainings.variance + trainings.error / films
    return Trainings(between, freedom, trainings.error, freedom * (films - 1), films)
