"""The forecast of a long film from one clip, with intervals.

A model that leaves `gain` of an error of its condition in the frame it hands on, and adds `eps` of its own, has after clip n
the error e_n = gain e_(n-1) + eps = eps (1 - gain^n) / (1 - gain): it settles at eps / (1 - gain), and comes 63 % of the way
there within about 1 / (1 - gain) clips.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata  # type: ignore[import-untyped]

from reports.statistics.bootstrap import Floats, drawn_means, ends
from reports.statistics.drift import late_clips

DRAWS, SEED = 2000, 0  # of models, for a correlation
FEWEST = 10  # models, below which a correlation has no interval: drawn from few, it would be much too short


class Interval(NamedTuple):
    """A value and its 95 % interval; NaN where there are too few to draw from."""

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
    """From every film's gain and eps, [seeds, films] each; intervals by drawing films, and seeds, again.

    Films of which one is NaN say nothing and are left out. Below six films no interval is given.

    Raises:
        ValueError: no film with both, or arrays of different shapes.
    """
    gain, eps = np.atleast_2d(np.asarray(gain, np.float64)), np.atleast_2d(np.asarray(eps, np.float64))
    if gain.shape != eps.shape:
        raise ValueError(f"received gain {gain.shape} and eps {eps.shape}, expected a number each a film")
    defined = np.isfinite(gain) & np.isfinite(eps)
    told = defined.any(axis=0)
    gain, eps = (np.where(defined, values, np.nan)[:, told] for values in (gain, eps))
    samples = int(told.sum())
    if not samples:
        raise ValueError("received no film with a finite gain and eps, expected one at least")
    gains, news = (np.append(np.nanmean(values), drawn_means(values)) for values in (gain, eps))
    with np.errstate(divide="ignore", invalid="ignore"):
        settling = np.where(gains < 1, 1 / np.maximum(1 - gains, 0), np.inf)
        plateau = np.where(news > 0, news * settling, 0.0)  # no new errors, nothing to settle: not 0 times infinity
    late = errors(gains, news, clips)[:, -late_clips(clips) :].mean(axis=1)
    drawn_too = (gains, news, plateau, settling, late)
    ratio, new, level, constant, end = (Interval(float(v[0]), *ends(v[1:], samples)) for v in drawn_too)
    return Forecast(ratio, new, level, constant, end, clips, int(defined.sum()))


def late_by_film(gain: Floats, eps: Floats, clips: int) -> Floats:
    """The logarithm of the late error of [seeds, films], shared out among the films: the mean over a seed's films is its own.

    Pseudo-values of the jackknife (Tukey 1958), n log e - (n - 1) log e without the film, of each seed's means: what `forecast`
    says is of means, and these make it as good as a score of every film, so that two models' can be paired. NaN where a film
    has none, and of a seed of one film.
    """
    gain, eps = np.atleast_2d(np.asarray(gain, np.float64)), np.atleast_2d(np.asarray(eps, np.float64))
    defined = np.isfinite(gain) & np.isfinite(eps)
    n = defined.sum(axis=1, keepdims=True)
    sums = [np.where(defined, values, 0).sum(axis=1, keepdims=True) for values in (gain, eps)]
    with np.errstate(divide="ignore", invalid="ignore"):
        whole = _log_late(sums[0] / n, sums[1] / n, clips)
        without = _log_late((sums[0] - gain) / (n - 1), (sums[1] - eps) / (n - 1), clips)
        found: Floats = np.where(defined & (n > 1), n * whole - (n - 1) * without, np.nan)
    return found


def _log_late(gain: Floats, eps: Floats, clips: int) -> Floats:
    late = errors(gain.ravel(), eps.ravel(), clips)[:, -late_clips(clips) :].mean(axis=1)
    found: Floats = np.log(np.where(late > 0, late, np.nan)).reshape(gain.shape)
    return found


def errors(gain: Floats, eps: Floats, clips: int) -> Floats:
    """The error after each clip, [N, clips], of N pairs of gain and eps."""
    powers: Floats = gain[:, None] ** np.arange(clips)
    found: Floats = eps[:, None] * powers.cumsum(axis=1)
    return found


def rank_correlation(x: Floats, y: Floats) -> Interval:
    """Spearman's, of N pairs; its interval by drawing pairs again, NaN below ten.

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
