"""Whether a difference hangs on two films: whether there are two without which it would not have been called one."""

from itertools import combinations

import numpy as np
from scipy.special import stdtr  # type: ignore[import-untyped]

from reports.statistics.bootstrap import LEVEL, Floats, student
from reports.statistics.trainings import Trainings


def hangs_on(table: Floats, trainings: Trainings | None, sides: int, factor: float) -> tuple[int, int] | None:
    """The two columns of differences [seeds, samples] without which p is largest, where it is then no longer below 5 %.

    p is Student's of the means over seeds, times `factor`, what Holm's correction made of the whole table's; a difference that
    changes sign is none. None where no two films matter so much.
    """
    kept = np.flatnonzero(~np.isnan(table).all(axis=0))
    films = np.nanmean(table[:, kept], axis=0)
    seeds, left = int((~np.isnan(table).all(axis=1)).sum()), len(films) - 2
    if left < 2:
        return None
    pairs = np.array(list(combinations(range(len(films)), 2)))
    centred = films - films.mean()
    gone = centred[pairs]
    mean = -gone.sum(axis=1) / left
    variance = ((centred**2).sum() - (gone**2).sum(axis=1) - left * mean**2) / (left - 1)
    se, freedom = student(np.maximum(variance, 0) / left, left, trainings.parts(seeds, sides) if trainings else [])
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * stdtr(freedom, -np.abs(films.mean() + mean) / se)
    p = np.where(se > 0, p, 0.0)
    p = np.where((films.mean() + mean) * films.mean() > 0, p, 1.0)
    worst = int(np.argmax(p))
    if p[worst] * factor < 1 - LEVEL:
        return None
    first, second = kept[pairs[worst]]
    return int(first), int(second)
