"""The doses of a drift for a film: how large it must be to be just visible, and ten sizes around that. No metric is asked."""

from dataclasses import replace

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.colours import JUST_VISIBLE, difference
from benchmarks.films.film import Film
from benchmarks.validation.drifts import Drift, object_pixels

DOSES = 10
VISIBLE = 1  # which of them is the just visible one
_HALVINGS = 20


def doses(drift: Drift, film: Film) -> Floats | None:
    """Half of the just visible dose, the just visible one, and from there in equal ratios to the greatest [DOSES]; None where no
    dose can be seen."""
    visible = just_visible(drift, film)
    if visible is None:
        return None
    return np.concatenate([[visible / 2], np.geomspace(visible, drift.greatest, DOSES - 1)])


def just_visible(drift: Drift, film: Film) -> float | None:
    """The drift's own, or the dose at which the mean colour difference of this true film is 2.3; None where even the greatest
    cannot be seen, as of an object that the last frame hides, or that hardly differs from what is behind it."""
    if drift.visible is not None:
        return drift.visible
    end = _end(film)
    low, high = 0.0, drift.greatest
    if seen(drift, end, high) < JUST_VISIBLE:
        return None
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if seen(drift, end, middle) < JUST_VISIBLE else (low, middle)
    return high


def seen(drift: Drift, film: Film, dose: float) -> float:
    """The mean colour difference where the drift is judged, at the film's last frame; 0 where there is nothing to judge."""
    change = difference(drift.act(film, dose)[-1], film.frames[-1:][0])
    there = object_pixels(film)[-1] if drift.where == "object" else np.ones_like(change, bool)
    return float(change[there].mean()) if there.any() else 0.0


def _end(film: Film) -> Film:
    """Its last two frames, the last one a clip's first: there a ramp is at its height, also at a hand-off."""
    return replace(film, frames=film.frames[-2:], clips=(slice(0, 1), slice(1, 2)), continuation=None)
