"""Colours as people tell them apart, in CIELAB, where a difference of 2.3 is just visible (benchmarks/colours.py)."""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Array, Floats, known_mean
from benchmarks.colours import lab
from benchmarks.films.film import Film
from benchmarks.scorers.metric import FrameScorer, Metric
from benchmarks.scorers.places import found_places

_COVERED = 0.99  # of a pixel, for it to have an object's colour alone


class TintScorer(FrameScorer):
    """tint_drift, a mean over the clip's frames."""

    metrics = (
        Metric(
            "tint_drift", "lower", "1", "CIELAB", "clip", (),
            "How far the frame's mean colour is from the first frame's, lightness left out.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]"""
        means = np.concatenate([film.frames[block].mean(axis=(1, 2)) / 255 for block in film.blocks()])
        tint = lab(means)[:, 1:]
        return {"tint_drift": np.linalg.norm(tint - tint[0], axis=1)}


class PaintScorer(FrameScorer):
    """object_colour, a mean over the clip's frames and the objects."""

    metrics = (
        Metric(
            "object_colour", "lower", "1", "CIELAB", "clip", ("truth", "course"),
            "How far an object's mean colour is from the true one, where it is found, beyond how far the background's is.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]; NaN where the true film hides all objects. Raises ValueError as `found_places`."""
        found, painted = found_places(film), _Painted(film)
        blocks = [painted.difference(film.frames[block], found.places[block]) for block in film.blocks()]
        return {"object_colour": known_mean(np.where(found.hidden, np.nan, np.concatenate(blocks)))}


class _Painted:
    """The pixels that objects cover, and their colours there."""

    def __init__(self, film: Film) -> None:
        """Of a film whose places could be found."""
        assert film.truth is not None
        assert film.truth.object_stamps is not None
        self.stamps: Array = film.truth.object_stamps
        self.background: Array = film.truth.background

    def difference(self, frames: Array, places: Floats) -> Floats:
        """Of frames uint8 [B, H, W, 3] with objects at places [B, K, 2]: how much farther their mean colours are from the true
        than the mean of what no object covers is; NaN for an object that others cover. [B, K]"""
        shown, true = np.full((2, len(places), places.shape[1] + 1, 3), np.nan)
        for row, (frame, spots) in enumerate(zip(frames, places, strict=True)):
            clear = np.ones(frame.shape[:2], np.bool_)
            for k in reversed(range(len(spots))):  # from the front
                stamp = self._stamp(k, spots[k])
                inside = clear & (stamp[..., 3] > _COVERED)
                if inside.any():
                    shown[row, k], true[row, k] = frame[inside].mean(axis=0) / 255, stamp[inside, :3].mean(axis=0)
                clear &= stamp[..., 3] == 0
            if clear.any():
                shown[row, -1], true[row, -1] = (one[clear].mean(axis=0) / 255 for one in (frame, self.background))
        error = lab(shown) - lab(true)
        return np.asarray(np.linalg.norm(error[:, :-1] - error[:, -1:], axis=-1))

    def _stamp(self, k: int, spot: Floats) -> Array:
        """Object k at a place. [H, W, 4]"""
        steps = self.stamps.shape[1]
        (right, down), (across, below) = np.divmod(np.rint(spot * steps).astype(int), steps)
        return np.asarray(np.roll(self.stamps[k, below, across], (down, right), axis=(0, 1)), np.float64)
