"""Drift from the film's own first frame: what can be said of any film without knowing its world."""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Array, Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import FrameScorer, Metric

LUMA = np.array([0.299, 0.587, 0.114])  # ITU-R BT.601, R G B
_FLAT = 1e-6


class DriftScorer(FrameScorer):
    """colour_drift, contrast_drift and sharpness_drift, each a mean over the clip's frames."""

    metrics = (
        Metric(
            "colour_drift", "lower", "1", "0..1", "clip", (),
            "Mean absolute difference of the three channel means from the first frame's.",
        ),
        Metric(
            "contrast_drift", "lower", "1", "relative", "clip", (),
            "Absolute relative change of the luma's standard deviation from the first frame's.",
        ),
        Metric(
            "sharpness_drift", "lower", "1", "relative", "clip", (),
            "Absolute relative change of the luma's mean absolute Laplacian from the first frame's.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F] for each metric; relative changes from a flat first frame are NaN."""
        blocks = [_statistics(film.frames[block]) for block in film.blocks()]
        colour, contrast, sharpness = (np.concatenate(column) for column in zip(*blocks, strict=True))
        return {
            "colour_drift": np.abs(colour - colour[0]).mean(axis=1),
            "contrast_drift": _relative_change(contrast),
            "sharpness_drift": _relative_change(sharpness),
        }


def _statistics(frames: Array) -> tuple[Floats, Floats, Floats]:
    """Frames uint8 [B, H, W, 3] -> channel means [B, 3], luma deviation [B], mean absolute Laplacian [B], on 0..1."""
    scaled = frames.astype(np.float64) / 255
    luma = scaled @ LUMA
    padded = np.pad(luma, ((0, 0), (1, 1), (1, 1)), mode="edge")
    neighbours = padded[:, :-2, 1:-1] + padded[:, 2:, 1:-1] + padded[:, 1:-1, :-2] + padded[:, 1:-1, 2:]
    laplacian = np.abs(neighbours - 4 * luma).mean(axis=(1, 2))
    return scaled.mean(axis=(1, 2)), luma.std(axis=(1, 2)), laplacian


def _relative_change(per_frame: Floats) -> Floats:
    if per_frame[0] < _FLAT:
        return np.full(len(per_frame), np.nan)
    change: Floats = np.abs(per_frame / per_frame[0] - 1)
    return change
