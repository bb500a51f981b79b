"""The paired bootstrap: what these films can and cannot say of the difference between two variants.

Both variants were filmed from the same samples, so a difference is taken film by film, d[seed, sample], and what is
drawn again is which samples there were: n of the n samples, with replacement, both films of a pair together. Where
there are several seeds (trainings), these are drawn again too, independently, and their means first spread by
sqrt(S / (S - 1)), since the spread of S means is that much too small. The weighted mean of a draw is one of `DRAWS`
possible differences; undefined pairs weigh nothing.

An interval read off these at 2.5 and 97.5 % is too short for few samples. It is read off at
Phi(-sqrt(n / (n - 1)) t(.975, n - 1)) and one minus that instead (the expanded percentile interval of Hesterberg,
"What teachers should know about the bootstrap", 2015), which is as wide as Student's t for means without being symmetric.
The two-sided p is that of the same interval: p < .05 where it excludes 0. Where fewer than ten draws fall beyond 0, too few
to count by, the normal curve with the draws' mean and spread says how many would.

Of two or three seeds the draws have a handful of means, and no percentile of them is wide enough. What trainings differ by is
therefore pooled over the rows of a run (`reports.statistics.trainings`), and the interval is Student's t about the mean: its
variance is that of the films' differences, over n, plus the trainings' of both rows, over the seeds; its degrees of freedom are
Satterthwaite's. One seed has such an interval too where the trainings' spread is known from elsewhere. Where it is known
from nowhere, several seeds are drawn again with the samples, and one seed says nothing of other trainings.

Draws are the same in every process: the same films give the same interval.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri, stdtr, stdtrit  # type: ignore[import-untyped]

from reports.statistics.trainings import Trainings

DRAWS = 10_000
FEWEST = 6
"""Samples below which no interval is given: of five, not even five differences of one sign are evidence at 5 % (2 / 2^5)."""
LEVEL = 0.95
_COUNTED = 10

Floats = npt.NDArray[np.float64]


class Difference(NamedTuple):
    """A mean difference over n samples, its standard error, interval and two-sided p, and the degrees of freedom that these go
    by; NaN where none can be given."""

    mean: float
    se: float
    n: int
    low: float
    high: float
    p: float
    freedom: float = float("nan")

    @property
    def significant(self) -> bool:
        """Whether the interval excludes 0."""
        return bool(self.low > 0 or self.high < 0)


def paired_difference(
    differences: Floats, trainings: Trainings | None = None, sides: int = 2, level: float = LEVEL
) -> Difference:
    """Of differences [seeds, samples], NaN where a pair is missing; sets of films are samples too, one a seed.

    `trainings`: how far these shift a mean, None where nothing tells; `sides`: of how many of the two rows they do, as nobody
    trains a base model. `level`: of the interval.
    """
    differences = defined(differences)
    n = differences.shape[1]
    if not differences.size:
        return Difference(np.nan, np.nan, 0, np.nan, np.nan, np.nan)
    mean = float(np.nanmean(differences))
    if n < FEWEST:
        return Difference(mean, np.nan, n, np.nan, np.nan, np.nan)
    if len(differences) == 1 and (trainings is None or not sides):
        drawn, widen = drawn_means(differences), np.sqrt(n / (n - 1))
        p = float(2 * stdtr(n - 1, _beyond(drawn) / widen))
        return Difference(mean, float(drawn.std()) * widen, n, *ends(drawn, n, level), p, n - 1)
    if trainings is None:
        se, freedom = float(drawn_means(differences).std()) * np.sqrt(n / (n - 1)), _freedom(differences)
    else:
        films = np.nanmean(differences, axis=0).var(ddof=1) / n
        se, freedom = map(float, student(films, n, trainings.parts(len(differences), sides)))
    half = -float(stdtrit(freedom, (1 - level) / 2)) * se
    p = float(2 * stdtr(freedom, -abs(mean) / se)) if se else float(mean == 0)
    return Difference(mean, se, n, mean - half, mean + half, p, freedom)


def defined(differences: Floats) -> Floats:
    """Without samples and seeds that have no pair at all."""
    differences = differences[:, ~np.isnan(differences).all(axis=0)]
    return differences[~np.isnan(differences).all(axis=1)]


def student(films: Floats | float, n: float, parts: Sequence[tuple[float, float]]) -> tuple[Floats, Floats]:
    """Standard error and Satterthwaite's degrees of freedom of mean differences over n films, whose variance is `films` [...] and
    the other parts, each with its own degrees of freedom. Parts below zero are what films have put into the others already: they
    take off what the films have at most, so that the others are the least that is left."""
    own = np.asarray(films, np.float64)
    added, taken = ([one for one in parts if (one[0] > 0) == sign] for sign in (True, False))
    rest = own + sum(part for part, _ in taken)
    below_added, below_taken = (sum(part**2 / freedom for part, freedom in side) for side in (added, taken))
    variance = np.maximum(rest, 0.0) + sum(part for part, _ in added)
    below = below_added + np.where(rest > 0, own**2 / (n - 1) + below_taken, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = np.where(below == 0, n - 1, variance**2 / below)
    return np.sqrt(variance), freedom


def drawn_means(values: Floats) -> Floats:
    """Of [seeds, samples] the mean of each draw [DRAWS], NaN pairs weighing nothing; arrays of one shape are drawn alike."""
    return _drawn_means(_spread(values))


def ends(drawn: Floats, n: int, level: float = LEVEL) -> tuple[float, float]:
    """The expanded percentile interval of draws from n samples; NaN below `FEWEST`. Infinite draws may be its end."""
    if n < FEWEST:
        return np.nan, np.nan
    edge = float(ndtr(np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 - level) / 2)))
    low, high = np.quantile(drawn, [edge, 1 - edge], method="inverted_cdf")
    return float(low), float(high)


def holm(p: Floats) -> Floats:
    """p [k] corrected for k comparisons (Holm 1979): none is called different by chance oftener than the level says.

    NaN stays NaN and counts as no comparison.
    """
    corrected = np.full(len(p), np.nan)
    order = np.argsort(p, kind="stable")[: int((~np.isnan(p)).sum())]
    factors = np.arange(len(order), 0, -1)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1.0) if len(order) else []
    return corrected


def _freedom(differences: Floats) -> float:
    """Satterthwaite's degrees of freedom of the mean of [seeds, samples]."""
    parts = []
    for axis in (0, 1):  # means of seeds, then of samples: how far they spread, and from how many that is known
        means = np.nanmean(differences, axis=1 - axis)
        parts.append((float(means.var(ddof=1)) / len(means), len(means) - 1))
    below = sum(variance**2 / freedom for variance, freedom in parts)
    return sum(variance for variance, _ in parts) ** 2 / below if below else float(parts[0][1])


def _beyond(drawn: Floats) -> float:
    """Standard normal quantile, at most 0, of the share of draws on the other side of 0."""
    beyond = min((drawn <= 0).sum(), (drawn >= 0).sum())
    counted = float(ndtri(min(max(beyond, _COUNTED) / len(drawn), 0.5)))
    if beyond >= _COUNTED:
        return counted
    with np.errstate(divide="ignore"):
        return float(min(counted, -abs(drawn.mean()) / drawn.std()))


def _spread(differences: Floats) -> Floats:
    """The differences with the means of seeds moved away from their mean, as far as their true spread asks."""
    seeds = len(differences)
    if seeds == 1:
        return differences
    means = np.nanmean(differences, axis=1, keepdims=True)
    moved: Floats = differences + (np.sqrt(seeds / (seeds - 1)) - 1) * (means - means.mean())
    return moved


def _drawn_means(differences: Floats) -> Floats:
    """The mean of each draw [DRAWS]; draws of missing pairs alone are left out."""
    defined = ~np.isnan(differences)
    total = _drawn_sums(np.where(defined, differences, 0))
    if defined.all():
        return total / differences.size
    size = _drawn_sums(defined.astype(np.float64))
    means: Floats = total[size > 0] / size[size > 0]
    return means


def _drawn_sums(values: Floats) -> Floats:
    seeds, samples = (_weights(size, stream) for stream, size in enumerate(values.shape))
    if len(values) == 1:
        return np.asarray(samples @ values[0])
    return np.asarray(np.einsum("dn,dn->d", seeds @ values, samples))


@cache
def _weights(size: int, stream: int) -> Floats:
    """How often each of `size` is drawn in each of `DRAWS` draws; seeds and samples have streams of their own."""
    generator = np.random.default_rng([stream, size])
    return generator.multinomial(size, np.full(size, 1 / size), DRAWS).astype(np.float64)
