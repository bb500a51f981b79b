"""The smallest difference that films can show: the one that as many of them would call different in four studies of five."""

import numpy as np
from scipy.special import nctdtrinc, stdtrit  # type: ignore[import-untyped]

from reports.statistics.bootstrap import LEVEL, Floats, student
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
    shift = trainings
    if seeds > 1 and trained:
        own, error = trained * (seeds - 1), trainings.error
        shift = Trainings(trainings.variance + error / films, own, error, own * (films - 1), films)
    one_film = trainings.paired + 2 * trainings.error / seeds
    se, freedom = student(one_film / films, films, shift.parts(seeds, sides))
    return float(detectable(se, freedom, (1 - LEVEL) / rows))
