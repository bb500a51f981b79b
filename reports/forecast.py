"""The forecast of a long film from one clip, with intervals.

A model that leaves `gain` of an error of its condition in the frame it hands on, and adds `eps` of its own, has after clip n
the error e_n = gain e_(n-1) + eps = eps (1 - gain^n) / (1 - gain): it settles at eps / (1 - gain), and comes 63 % of the way
there within about 1 / (1 - gain) clips.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata  # type: ignore[import-untyped]

from reports.drift import LATE_SHARE

Floats = npt.NDArray[np.float64]
DRAWS, SEED = 2000, 0  # of the bootstrap
FEWEST = 5  # models, below which a correlation has no interval


class Interval(NamedTuple):
    """A value and its 95 % interval; NaN where there is only one film to draw from."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Forecast:
    """What one clip says of films of `clips` clips, of `films` films.

    `gain` is a ratio; `eps`, `plateau` (infinite from a gain of 1) and `late`, the mean error over the last fifth of the clips,
    are in units of the latents; `time_constant` is in clips (infinite from a gain of 1).
    """

    gain: Interval
    eps: Interval
    plateau: Interval
    time_constant: Interval
    late: Interval
    clips: int
    films: int


def forecast(gain: Floats, eps: Floats, clips: int) -> Forecast:
    """From every film's gain and eps, [S] each; intervals by drawing films again (percentile bootstrap, 2,000 draws).

    Raises:
        ValueError: no film, arrays of different lengths, or values that are not finite.
    """
    gain, eps = np.asarray(gain, np.float64), np.asarray(eps, np.float64)
    films = len(gain)
    if not films or gain.shape != eps.shape or not np.isfinite([gain, eps]).all():
        raise ValueError(f"received gain {gain} and eps {eps}, expected a finite number each a film")
    drawn = np.random.default_rng(SEED).integers(films, size=(DRAWS, films))
    gains, news = (np.append(values.mean(), values[drawn].mean(axis=1)) for values in (gain, eps))
    with np.errstate(divide="ignore"):
        settling = np.where(gains < 1, 1 / np.maximum(1 - gains, 0), np.inf)
    late = errors(gains, news, clips)[:, -max(1, round(clips * LATE_SHARE)) :].mean(axis=1)
    drawn_too = (gains, news, news * settling, settling, late)
    gain_of, eps_of, plateau, time_constant, late_error = (_interval(values, films) for values in drawn_too)
    return Forecast(gain_of, eps_of, plateau, time_constant, late_error, clips, films)


def errors(gain: Floats, eps: Floats, clips: int) -> Floats:
    """The error after each clip, [N, clips], of N pairs of gain and eps."""
    powers: Floats = gain[:, None] ** np.arange(clips)
    found: Floats = eps[:, None] * powers.cumsum(axis=1)
    return found


def rank_correlation(x: Floats, y: Floats) -> Interval:
    """Spearman's, of N pairs; its interval by drawing pairs again, NaN below five.

    Draws in which one side is all equal say nothing and are left out.
    """
    whole = _spearman(np.asarray(x, np.float64)[None], np.asarray(y, np.float64)[None])
    if len(x) < FEWEST:
        return Interval(float(whole[0]), np.nan, np.nan)
    drawn = np.random.default_rng(SEED).integers(len(x), size=(DRAWS, len(x)))
    found = _spearman(np.asarray(x, np.float64)[drawn], np.asarray(y, np.float64)[drawn])
    low, high = np.nanquantile(found, [0.025, 0.975])
    return Interval(float(whole[0]), float(low), float(high))


def _spearman(x: Floats, y: Floats) -> Floats:
    """Of each row: Pearson's correlation of ranks, those of equal values averaged."""
    ranks = [rankdata(values, axis=1) for values in (x, y)]
    a, b = (rank - rank.mean(axis=1, keepdims=True) for rank in ranks)
    with np.errstate(invalid="ignore"):
        found: Floats = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return found


def _interval(values: Floats, films: int) -> Interval:
    """Of the value itself, which comes first, and the draws."""
    if films < 2:
        return Interval(float(values[0]), np.nan, np.nan)
    # An infinite end is an answer: some draws never settle.
    low, high = np.quantile(values[1:], [0.025, 0.975], method="inverted_cdf")
    return Interval(float(values[0]), float(low), float(high))
