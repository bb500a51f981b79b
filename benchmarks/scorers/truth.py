"""Scores against a known world: is the background still there, is the object, and does it look as it should?

Of every frame f the object's position p is the grid position whose true render r_p is nearest in squared error. What
belongs to the object is then judged inside its mask m_p, what belongs to the background b outside it.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from benchmarks.arrays import Array, Floats, Singles
from benchmarks.films.film import Film, Truth
from benchmarks.scorers.fidelity import decibels
from benchmarks.scorers.metric import Metric

KEPT_SHARE = 0.5
FAR = 0.5  # from its place: what counts for what is lost, of the frame's shorter side
_NO_ENERGY = 1e-8


class TruthScorer:
    """background_psnr, subject_similarity and object_kept, each a mean over the clip's frames."""

    metrics = (
        Metric(
            "background_psnr", "higher", "1", "dB", "clip", ("truth",),
            "PSNR of the pixels away from the object's best position against the true background, capped at 100 dB.",
        ),
        Metric(
            "subject_similarity", "higher", "1", "cosine", "clip", ("truth",),
            "Cosine, inside the object's mask, of what the film and the true scene add to the background; 0 at worst.",
        ),
        Metric(
            "object_kept", "higher", "1", "share", "clip", ("truth",),
            "Share of frames in which the true object explains more than half of the energy that it adds to the scene.",
        ),
    )  # fmt: skip

    def score(self, film: Film) -> Mapping[str, Floats]:
        """[n_clips] for each metric.

        Raises:
            ValueError: the truth is missing or of another size than the film.
        """
        world = KnownScene(film)
        blocks = [world.score(film.frames[block]) for block in film.blocks()]
        return {
            metric.name: film.clip_means(np.concatenate(column))
            for metric, column in zip(self.metrics, zip(*blocks, strict=True), strict=True)
        }


class KnownScene:
    """A film's truth as matrices, D = 3 H W: background [D], what the object adds to it [P, D], and weights [P, D]."""

    def __init__(self, film: Film) -> None:
        """Raises ValueError for a truth that is missing or of another size than the film."""
        truth = _require_truth(film)
        self.background: Singles = truth.background.astype(np.float32).reshape(-1) / np.float32(255)
        positions = len(truth.object_renders)
        self.added: Singles = truth.object_renders.astype(np.float32).reshape(positions, -1) - self.background
        self.mask: Singles = np.repeat(truth.object_masks.reshape(positions, -1), 3, axis=1).astype(np.float32)
        self.outside: Singles = np.repeat(_outside(truth.object_masks).reshape(positions, -1), 3, axis=1)
        self.energy: Singles = np.sum(self.mask * self.added**2, axis=1)

    def score(self, frames: Array) -> tuple[Floats, Floats, Floats]:
        """Frames uint8 [B, H, W, 3] -> background PSNR, similarity and kept (0 or 1), each [B]; NaN where undefined."""
        shown = self._shown(frames)
        best = self._best_position(shown)
        added, mask, outside, energy = self.added[best], self.mask[best], self.outside[best], self.energy[best]
        weight = outside.sum(axis=1, dtype=np.float64)
        error = np.sum(outside * shown**2, axis=1, dtype=np.float64)
        mse = np.divide(error, weight, out=np.full(len(best), np.nan), where=weight > 0)
        return decibels(mse), _similarity(shown, added, mask, energy), _kept(shown, added, mask, energy)

    def find(self, frames: Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """Frames uint8 [B, H, W, 3] -> the object's best position, and whether it is kept there, both [B]."""
        shown = self._shown(frames)
        best = self._best_position(shown)
        return best, _kept(shown, self.added[best], self.mask[best], self.energy[best]) == 1

    def _shown(self, frames: Array) -> Singles:
        return frames.reshape(len(frames), -1).astype(np.float32) / np.float32(255) - self.background

    def _best_position(self, shown: Singles) -> npt.NDArray[np.int64]:
        # |f - r_p|^2 = |s - a_p|^2 with s = f - b and a_p = r_p - b; |s|^2 is the same for every p. Taking b off first
        # keeps the products small, so single precision is enough to tell neighbouring positions apart.
        squared_error = np.sum(self.added**2, axis=1) - 2 * (shown @ self.added.T)
        return np.asarray(np.argmin(squared_error, axis=1))


def _outside(masks: Array) -> Singles:
    """Weights [P, H, W] of the background: 1 - mask, after the mask has grown over every pixel that it touches or that
    neighbours one. The object moves by fractions of a pixel and the grid does not: without the margin a perfect film
    would be charged for the rim of its object between two grid positions."""
    padded = np.pad(masks > 0, ((0, 0), (1, 1), (1, 1)))
    grown = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2)).any(axis=(3, 4))
    return np.asarray(~grown, dtype=np.float32)


def _similarity(shown: Singles, added: Singles, mask: Singles, energy: Singles) -> Floats:
    product: Floats = np.sum(mask * shown * added, axis=1, dtype=np.float64)
    norms = np.sqrt(np.sum(mask * shown**2, axis=1, dtype=np.float64) * energy)
    cosine = np.divide(product, norms, out=np.zeros(len(product)), where=norms > _NO_ENERGY)
    return np.where(energy > _NO_ENERGY, np.clip(cosine, 0.0, 1.0), np.nan)


def _kept(shown: Singles, added: Singles, mask: Singles, energy: Singles) -> Floats:
    """1 where 1 - sum m (f - r_p)^2 / sum m (b - r_p)^2 > 1/2, else 0.

    The share is 1 for the true object and 0 for bare background. A cosine is blind to strength and still calls a faint
    ghost of the object alike; this asks that the object explain the frame better than half-way from the empty scene.
    """
    error: Floats = np.sum(mask * (shown - added) ** 2, axis=1, dtype=np.float64)
    explained = 1 - np.divide(error, energy, out=np.full(len(error), np.nan), where=energy > _NO_ENERGY)
    return np.where(np.isnan(explained), np.nan, (explained > KEPT_SHARE).astype(np.float64))


def _require_truth(film: Film) -> Truth:
    truth = film.truth
    if truth is None:
        raise ValueError("truth: received none, expected the true scene of the film")
    frame = film.frames.shape[1:]
    shapes = (truth.background.shape, truth.object_renders.shape[1:], (*truth.object_masks.shape[1:], 3))
    if any(shape != frame for shape in shapes) or len(truth.object_renders) != len(truth.object_masks):
        received = f"{truth.background.shape}, {truth.object_renders.shape} and {truth.object_masks.shape}"
        raise ValueError(f"truth: received background, renders and masks {received}, expected frames of {frame}")
    return truth
