"""Does the object's size follow the loudness of the film's sound, and how late?

The size is that of the best of all places and sizes, as scores against the truth find them (truth.py); a frame that has lost
its object has none. A clip is judged with MARGIN frames on either side: alone it is too short to tell one lag from another.
"""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Array, Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import Metric
from benchmarks.scorers.truth import FAR, KnownScene

MARGIN = 12  # frames
MOST = 8  # frames of lag that are looked for, either way
_FLAT = 1e-6  # variance below which nothing is followed
_SEEN = 0.5  # share of a clip's frames, with the margin, that must show the object


class LoudnessScorer:
    """sync_correlation, sync_lag, sync_slip and place_error of each clip."""

    metrics = (
        Metric(
            "sync_correlation", "higher", "1", "correlation", "clip", ("truth", "loudness"),
            "Correlation of the object's size with the loudness; 0 where the object is lost or keeps its size.",
        ),
        Metric(
            "sync_lag", "none", "1", "frames", "clip", ("truth", "loudness"),
            "Frames by which the size is later than the loudness, at their best correlation; undefined where it is lost.",
        ),
        Metric(
            "sync_slip", "lower", "1", "frames", "clip", ("truth", "loudness"),
            f"The lag without its sign, so that early and late do not cancel; {MOST} at worst, and where the object is lost.",
        ),
        Metric(
            "place_error", "lower", "1", "pixels", "clip", ("truth", "loudness"),
            "Distance of the object, which stands still, from its place; half the frame's shorter side where it is lost.",
        ),
    )  # fmt: skip

    def score(self, film: Film) -> Mapping[str, Floats]:
        """[n_clips] for each metric; NaN where the sound is of one loudness, so that there is nothing to follow.

        Raises:
            ValueError: the truth is missing, knows no loudness, or is of another size or length than the film.
        """
        loudness, size, distance = _known(film)
        windows, lags = (
            _Windows(film),
            np.array(sorted(range(-MOST, MOST + 1), key=abs)),
        )  # of equals, the least lag wins
        correlations = np.stack([windows.correlation(size, _later(loudness, lag)) for lag in lags])
        best = lags[np.argmax(np.nan_to_num(correlations, nan=-np.inf), axis=0)].astype(np.float64)
        silent = windows.variance(loudness) < _FLAT
        lost = (windows.mean(~np.isnan(size)) < _SEEN) | np.isnan(correlations[0])
        return {
            "sync_correlation": np.where(silent, np.nan, np.where(lost, 0.0, correlations[0])),
            "sync_lag": np.where(silent | lost, np.nan, best),
            "sync_slip": np.where(silent, np.nan, np.where(lost, MOST, np.abs(best))),
            "place_error": film.clip_means(distance),
        }


class _Windows:
    """Each clip and MARGIN frames on either side."""

    def __init__(self, film: Film) -> None:
        total = len(film.frames)
        self._starts = np.array([max(clip.start - MARGIN, 0) for clip in film.clips])
        self._stops = np.array([min(clip.stop + MARGIN, total) for clip in film.clips])

    def mean(self, values: Array) -> Floats:
        """[F] without NaN -> [n_clips]"""
        sums = np.concatenate([[0.0], np.cumsum(values, dtype=np.float64)])
        mean: Floats = (sums[self._stops] - sums[self._starts]) / (self._stops - self._starts)
        return mean

    def variance(self, values: Floats) -> Floats:
        """[F] without NaN -> [n_clips]"""
        variance: Floats = self.mean(values**2) - self.mean(values) ** 2
        return variance

    def correlation(self, x: Floats, y: Floats) -> Floats:
        """Pearson's of the frames that both know, both [F] -> [n_clips]; NaN where either does not vary."""
        known = ~np.isnan(x) & ~np.isnan(y)
        share = self.mean(known)
        share = np.where(share > 0, share, 1.0)
        x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
        mean_x, mean_y, mean_xx, mean_yy, mean_xy = (self.mean(v) / share for v in (x, y, x * x, y * y, x * y))
        variance_x, variance_y = mean_xx - mean_x**2, mean_yy - mean_y**2
        varies = (variance_x > _FLAT) & (variance_y > _FLAT)
        spread = np.sqrt(np.where(varies, variance_x * variance_y, 1.0))
        return np.where(varies, np.clip((mean_xy - mean_x * mean_y) / spread, -1, 1), np.nan)


def _known(film: Film) -> tuple[Floats, Floats, Floats]:
    """Loudness, the object's size, NaN where it is lost, and its distance from its place, each [F]."""
    scene, truth = KnownScene(film), film.truth
    assert truth is not None
    if truth.loudness is None or truth.object_sizes is None or truth.object_distances is None:
        raise ValueError(
            "truth: received no loudness, object_sizes and object_distances, expected those of a film that follows a sound"
        )
    wanted = (len(film.frames), truth.object_renders.shape[1])
    if (received := (len(truth.loudness), len(truth.object_sizes))) != wanted:
        raise ValueError(f"truth: received loudness and object_sizes of {received}, expected {wanted}")
    found = [scene.find(film.frames[block]) for block in film.blocks()]
    at, kept = (np.concatenate(column)[:, 0] for column in zip(*found, strict=True))
    lost = FAR * min(film.frames.shape[1:3])
    size = np.where(kept == 1, truth.object_sizes[at], np.nan).astype(np.float64)
    return (
        truth.loudness.astype(np.float64),
        size,
        np.where(kept == 1, truth.object_distances[at], lost).astype(np.float64),
    )


def _later(values: Floats, lag: int) -> Floats:
    """So many frames later; NaN where nothing is known."""
    frames = np.arange(len(values)) - lag
    inside = (frames >= 0) & (frames < len(values))
    return np.where(inside, values[np.clip(frames, 0, len(values) - 1)], np.nan)
