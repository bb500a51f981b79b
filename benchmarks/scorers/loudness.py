"""Does the object's size follow the loudness of the film's sound, and how late?

The size is that of the best of all places and sizes, as scores against the truth find them (truth.py); a frame that has lost
its object has none. A clip is judged with MARGIN frames on either side: alone it is too short to tell one lag from another.
"""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import Metric
from benchmarks.scorers.truth import KnownScene

MARGIN = 12  # frames
MOST = 8  # frames of lag that are looked for, either way
_FLAT = 1e-6  # variance below which nothing is followed
_SEEN = 0.5  # share of a clip's frames, with the margin, that must show the object


class LoudnessScorer:
    """sync_correlation, sync_lag and sync_slip of each clip."""

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
    )  # fmt: skip

    def score(self, film: Film) -> Mapping[str, Floats]:
        """[n_clips] for each metric; NaN where the sound is of one loudness, so that there is nothing to follow.

        Raises:
            ValueError: the truth is missing, knows no loudness, or is of another size than the film.
        """
        size, loudness = _sizes(film), _loudness(film)
        windows = _Windows(film)
        by_lag = {lag: windows.correlation(size, _later(loudness, lag)) for lag in sorted(range(-MOST, MOST + 1), key=abs)}
        correlations = np.stack(list(by_lag.values()))
        best = np.array(list(by_lag), np.float64)[np.argmax(np.nan_to_num(correlations, nan=-np.inf), axis=0)]
        silent = windows.variance(loudness) < _FLAT
        lost = (windows.share(size) < _SEEN) | np.isnan(by_lag[0])
        return {
            "sync_correlation": np.where(silent, np.nan, np.where(lost, 0.0, by_lag[0])),
            "sync_lag": np.where(silent | lost, np.nan, best),
            "sync_slip": np.where(silent, np.nan, np.where(lost, MOST, np.abs(best))),
        }


class _Windows:
    """Sums over each clip and MARGIN frames on either side."""

    def __init__(self, film: Film) -> None:
        total = len(film.frames)
        self._starts = np.array([max(clip.start - MARGIN, 0) for clip in film.clips])
        self._stops = np.array([min(clip.stop + MARGIN, total) for clip in film.clips])

    def _sum(self, values: Floats) -> Floats:
        sums = np.concatenate([[0.0], np.cumsum(values)])
        total: Floats = sums[self._stops] - sums[self._starts]
        return total

    def share(self, values: Floats) -> Floats:
        """[F] -> [n_clips]: how many of the frames have a value."""
        share: Floats = self._sum(~np.isnan(values)) / (self._stops - self._starts)
        return share

    def variance(self, values: Floats) -> Floats:
        """[F] without NaN -> [n_clips]"""
        count = self._stops - self._starts
        variance: Floats = self._sum(values**2) / count - (self._sum(values) / count) ** 2
        return variance

    def correlation(self, x: Floats, y: Floats) -> Floats:
        """Pearson's of the frames that both know, both [F] -> [n_clips]; NaN where either does not vary."""
        known = ~np.isnan(x) & ~np.isnan(y)
        x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
        n = np.maximum(self._sum(known), 1)
        mean_x, mean_y = self._sum(x) / n, self._sum(y) / n
        variance_x, variance_y = self._sum(x * x) / n - mean_x**2, self._sum(y * y) / n - mean_y**2
        varies = (variance_x > _FLAT) & (variance_y > _FLAT)
        spread = np.sqrt(np.where(varies, variance_x * variance_y, 1.0))
        return np.where(varies, np.clip((self._sum(x * y) / n - mean_x * mean_y) / spread, -1, 1), np.nan)


def _sizes(film: Film) -> Floats:
    """[F]: NaN where the object is lost."""
    scene = KnownScene(film)
    assert film.truth is not None
    if film.truth.object_sizes is None:
        raise ValueError("truth: received no object_sizes, expected the object's size at each position")
    sizes = film.truth.object_sizes.astype(np.float64)
    found = [scene.find(film.frames[block]) for block in film.blocks()]
    return np.concatenate([np.where(kept, sizes[best], np.nan) for best, kept in found])


def _loudness(film: Film) -> Floats:
    """[F]"""
    loudness = None if film.truth is None else film.truth.loudness
    if loudness is None or len(loudness) != len(film.frames):
        received = "none" if loudness is None else f"{len(loudness)} frames of it"
        raise ValueError(f"loudness: received {received}, expected that of the film's {len(film.frames)} frames")
    return loudness.astype(np.float64)


def _later(values: Floats, lag: int) -> Floats:
    """So many frames later; NaN where nothing is known."""
    shifted = np.full(len(values), np.nan)
    if lag >= 0:
        shifted[lag:] = values[: len(values) - lag]
    else:
        shifted[:lag] = values[-lag:]
    return shifted
