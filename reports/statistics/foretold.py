"""How a film in a known world will end, from its first clips: in decibels, and with the misses of such forecasts so far.

If each clip hands on gain times its error and adds as much of its own, the error after clip n is as S(n) = sum of gain^k, k < n.
Signal-to-noise ratios fell by less than 20 log10 S(n) and by more than half of that, so the fall measured from the first clip to
clip k sets the scale, and log S only the shape: the fall to clip n is that to clip k times log S(n) / log S(k).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from reports.statistics.bootstrap import Floats
from reports.statistics.drift import late_clips

# Of a rollout: many clips of few films foretell better than the same number the other way round.
ROLLED_CLIPS, ROLLED_FILMS = 12, 4
FADED = 0.7  # what is left of the objects in the image that a rollout's one-clip films start from
LEVEL = 0.9  # of the intervals
_LEAST = 1e-3  # gain, below which a clip forgets its past, and S has no shape
Misses = Mapping[str, Sequence[float]]
"""By metric: measured less foretold, of trainings whose films were made all the same."""


class Foretold(NamedTuple):
    """A late mean in the metric's unit, with a 90 % interval that holds trainings, films and the rule's own error.

    Where no misses are known, it is the bare rule's, and the interval is NaN.
    """

    value: float
    low: float
    high: float


def foretold(curves: Floats, gain: Floats, clips: int, misses: Sequence[float] = ()) -> Foretold:
    """Of curves [seeds, films, >= 2], whose first `ROLLED_CLIPS` clips count, and the gains [seeds, any] of films of `clips` clips.

    The typical miss is added. A seed whose curve or gain is NaN says nothing.

    Raises:
        ValueError: fewer than two clips, or nothing defined.
    """
    if curves.ndim != 3 or curves.shape[2] < 2:
        raise ValueError(f"received curves {curves.shape}, expected [seeds, films, clips] of two clips at least")
    first, gains = curves[:, :, :ROLLED_CLIPS], np.asarray(gain, np.float64)
    told = np.isfinite(first[:, :, 0] + first[:, :, -1]).any(axis=1) & np.isfinite(gains).any(axis=1)
    if not told.any():
        raise ValueError("received no seed with a curve and a gain, expected one at least")
    ends = [_late(one, float(np.nanmean(own)), clips) for one, own in zip(first[told], gains[told], strict=True)]
    value = float(np.mean(ends))
    if not len(misses):
        return Foretold(value, np.nan, np.nan)
    low, middle, high = _quantiles(misses)
    return Foretold(value + middle, value + low, value + high)


def course(begun: float, last: float, k: int, gain: float, clips: int) -> Floats:
    """The bare rule from the first clip to each, [clips], through what was measured of the first and of clip k > 1."""
    grown: Floats = np.log(np.cumsum(max(gain, _LEAST) ** np.arange(clips)))
    found: Floats = begun - (begun - last) * grown / grown[k - 1]
    return found


def _late(curves: Floats, gain: float, clips: int) -> float:
    """Of one seed's curves [films, k]: their mean over the late clips of films of `clips` clips."""
    k = min(curves.shape[1], clips)
    begun, last = float(np.nanmean(curves[:, 0])), float(np.nanmean(curves[:, -1]))
    return float(course(begun, last, k, gain, clips)[-late_clips(clips) :].mean())


def _quantiles(misses: Sequence[float]) -> Floats:
    """Below, in the middle and above: the next miss lies between the ends in `LEVEL` of cases, if it is one like these (split
    conformal prediction: Lei et al. 2018)."""
    tail = (1 - LEVEL) / 2
    found: Floats = np.quantile(np.asarray(misses, np.float64), [tail, 0.5, 1 - tail], method="weibull")
    return found


def chance(difference: float, misses: Sequence[float]) -> float:
    """How often two of these trainings missed by amounts that far apart or further; NaN where too little is known of that."""
    known = np.asarray(misses, np.float64)
    if len(known) < 2:
        return float("nan")
    apart = np.abs(known[:, None] - known)[np.triu_indices(len(known), 1)]
    return float((1 + (apart >= abs(difference)).sum()) / (1 + len(apart)))


def missed(measured: float, curves: Floats, gain: Floats, clips: int) -> float:
    """By how much the bare rule missed a late mean."""
    return measured - foretold(curves, gain, clips).value
