"""How far trainings shift a mean over films: two that differ in their seed alone end apart, each by a draw of its own.

Of a row with S seeds, film i of seed s scores m + t_s + f_i + e_si. Means of seeds spread by var(t) + var(e) / n, whatever the
films f are, and what is left of the table without the means of its seeds and films has var(e): so var(t) is the difference
(two-way analysis of variance, components by their mean squares: Searle, Casella and McCulloch 1992, ch. 4). Two seeds of
one row tell next to nothing; rows of a run are trained alike, so their mean squares are pooled and degrees of freedom add up.
Rows that are films of the same trainings count as one together: a training that is seen twice is one draw of t.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Made = Mapping[str, Mapping[int, str]]
"""Row -> seed -> the name of the training that its films were made with; rows that it does not know have trainings of their own."""


class Trainings(NamedTuple):
    """`between`: variance of means of seeds, from `freedom` degrees of freedom; `error`: var(e) of a film, of `films` films a seed.

    `paired`: variance over films of the difference of two rows that other seeds would not take away, the median over rows; NaN
    where no row was compared. All in squares of the measure's unit.
    """

    between: float
    freedom: float
    error: float
    error_freedom: float
    films: float
    paired: float = float("nan")

    @classmethod
    def pooled(
        cls, rows: Iterable[Floats], differences: Iterable[Floats] = (), weights: Sequence[float] | None = None
    ) -> Self | None:
        """Of rows [seeds, films], those with two seeds and two films at least; NaN films are left out. None without any.

        `differences`: of rows to the baseline, [seeds, films] each. `weights`: what each row counts, see `weights`; 1 unless given.
        """
        rows = list(rows)
        weighed = zip(rows, weights or [1.0] * len(rows), strict=True)
        told = [(table, weight) for row, weight in weighed if min((table := _whole(row)).shape) > 1]
        if not told:
            return None
        tables = [table for table, _ in told]
        freedoms = np.array([weight * (len(table) - 1) for table, weight in told])
        within = np.array([weight * (len(table) - 1) * (table.shape[1] - 1) for table, weight in told])
        between = sum(freedom * table.mean(axis=1).var(ddof=1) for freedom, table in zip(freedoms, tables, strict=True))
        error = sum(weight * float((_rest(table) ** 2).sum()) for table, weight in told)
        films = freedoms.sum() / sum(freedom / table.shape[1] for freedom, table in zip(freedoms, tables, strict=True))
        paired = [_lasting(table) for one in differences if min((table := _whole(one)).shape) > 1]
        return cls(
            float(between / freedoms.sum()), float(freedoms.sum()), error / within.sum(), float(within.sum()),
            float(films), float(np.median(paired)) if paired else float("nan"),
        )  # fmt: skip

    @property
    def noise(self) -> float:
        """The films' share in `between`."""
        return self.error / self.films

    @property
    def variance(self) -> float:
        """var(t); 0 where means of seeds spread no further than their films say."""
        return float(max(self.between - self.noise, 0.0))

    @property
    def sd(self) -> float:
        """How far one training lies from another's mean, in the measure's unit."""
        return float(np.sqrt(self.variance))

    def parts(self, seeds: float, sides: int) -> list[tuple[float, float]]:
        """Terms of the variance of a difference of means over `seeds` seeds, `sides` of its two rows trained, each with its
        degrees of freedom."""
        if not self.variance or not sides:
            return []
        share = sides / seeds
        return [(share * self.between, self.freedom), (-share * self.noise, self.error_freedom)]


def weights(made: Made, rows: Iterable[str]) -> list[float]:
    """Of each row one over the rows of its trainings, itself among them: what it counts where trainings are pooled."""
    rows = list(rows)
    times = Counter((seed, name) for row in rows for seed, name in made.get(row, {}).items())
    return [
        float(np.mean([1 / times[training] for training in made[row].items()])) if made.get(row) else 1.0
        for row in rows
    ]


def shared(made: Made, one: str, other: str) -> bool:
    """Whether two rows are films of the same trainings, on every seed that both have."""
    both = made.get(one, {}).keys() & made.get(other, {}).keys()
    return bool(both) and all(made[one][seed] == made[other][seed] for seed in both)


def _whole(table: Floats) -> Floats:
    """[seeds, films] without seeds that have none, and without films that a seed lacks."""
    table = table[~np.isnan(table).all(axis=1)]
    return table[:, ~np.isnan(table).any(axis=0)]


def _rest(table: Floats) -> Floats:
    rest: Floats = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return rest


def _lasting(table: Floats) -> float:
    """Variance of films' differences beyond what their seeds' noise puts into it."""
    seeds, films = table.shape
    error = float((_rest(table) ** 2).sum()) / ((seeds - 1) * (films - 1))
    return float(max(float(table.mean(axis=0).var(ddof=1)) - error / seeds, 0.0))
