"""Films of two rows, paired by seed and sample."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from reports.statistics.bootstrap import LEVEL, Difference, Floats, paired_difference
from reports.statistics.frame import SET
from reports.statistics.trainings import Trainings


class Pairs(NamedTuple):
    """Differences [seeds, samples], NaN where one of the two has no film, and the samples' names.

    What a set of films has is one value a seed: its seeds are samples then, in which trainings have had their say.
    """

    table: Floats
    samples: tuple[str, ...]
    of_set: bool = False

    def difference(self, trainings: Trainings | None = None, sides: int = 2, level: float = LEVEL) -> Difference:
        """Its mean with interval and p; `paired_difference` of the table."""
        return paired_difference(self.table, trainings, 0 if self.of_set else sides, level)

    @property
    def seeds(self) -> int:
        """How many seeds have a pair."""
        return self.table.shape[1] if self.of_set else int((~np.isnan(self.table).all(axis=1)).sum())


def pairs(own: "pd.Series[float] | None", other: "pd.Series[float] | None") -> Pairs:
    """Of values indexed by (seed, sample), those that both have; what a set of films has is paired by seed."""
    if own is None or other is None or own.empty or other.empty:
        return Pairs(np.empty((0, 0)), ())
    if all(one.equals(another) for one, another in zip(films_of(own).levels, films_of(other).levels, strict=True)):
        table, names = table_of(own) - table_of(other), films_of(own).levels[-1]
    else:
        found = (own - other).dropna().unstack("sample")
        table, names = found.to_numpy(), found.columns
    if of_set(own):
        return Pairs(table.T, (), of_set=True)
    return Pairs(table, tuple(map(str, names)))


def difference(own: "pd.Series[float]", other: "pd.Series[float]") -> Difference:
    """Of values indexed by (seed, sample), with nothing known of trainings but what the two say."""
    return pairs(own, other).difference()


def table_of(values: "pd.Series[float]") -> Floats:
    """[seeds, samples], NaN where there is no film; of an index by (seed, sample)."""
    films = films_of(values)
    table = np.full([len(level) for level in films.levels], np.nan)
    table[tuple(films.codes)] = values.to_numpy()
    return table


def films_of(values: "pd.Series[float]") -> pd.MultiIndex:
    """The index, by (seed, sample)."""
    assert isinstance(values.index, pd.MultiIndex)
    return values.index


def of_set(values: "pd.Series[float]") -> bool:
    """Whether these are one value a set of films."""
    return bool((values.index.get_level_values("sample") == SET).all())
