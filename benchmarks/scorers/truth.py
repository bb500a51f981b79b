"""Scores against a known world: is the background still there, are its objects, and do they look as they should?

Of every frame f an object's place p is the grid place whose true render r_p is nearest in squared error; several objects are
placed together. What belongs to an object is then judged inside its mask m_p, where no object in front of it
hides it; what belongs to the background b outside all of them.
"""

from collections.abc import Mapping, Sequence
from itertools import permutations

import numpy as np
import numpy.typing as npt

from benchmarks.arrays import Array, Floats, Singles, known_mean
from benchmarks.films.film import Film
from benchmarks.films.truth import Truth
from benchmarks.scorers.fidelity import decibels
from benchmarks.scorers.metric import Metric

KEPT_SHARE = 0.5
SEEN_SHARE = 0.5  # of an object's energy: where the true film hides more behind another, it is neither kept nor lost
FAR = 0.5  # from its place: what counts for what is lost, of the frame's shorter side
_NO_ENERGY = 1e-8
_ROUNDS = 2  # in which objects that touch, or of which one is lost, are placed anew
Places = npt.NDArray[np.int64]


class TruthScorer:
    """background_psnr, subject_similarity and object_kept, each a mean over the clip's frames and the objects."""

    metrics = (
        Metric(
            "background_psnr", "higher", "1", "dB", "clip", ("truth",),
            "PSNR of the pixels away from the objects' best places against the true background, capped at 100 dB.",
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
        blocks = [world.score(film.frames[block], block) for block in film.blocks()]
        return {
            metric.name: film.clip_means(np.concatenate(column))
            for metric, column in zip(self.metrics, zip(*blocks, strict=True), strict=True)
        }


class KnownScene:
    """A film's truth as matrices, D = 3 H W: background [D], what an object adds to it [K, P, D], and weights [K, P, D]; which
    objects another one hides in the true film, where that is known, hidden [F, K]; and the mean squared difference that each
    object makes where it is seen best, most [K]."""

    def __init__(self, film: Film) -> None:
        """Raises ValueError for a truth that is missing or of another size than the film."""
        truth = _require_truth(film)
        self.background: Singles = truth.background.astype(np.float32).reshape(-1) / np.float32(255)
        grid = truth.object_masks.shape[:2]
        self.added: Singles = truth.object_renders.astype(np.float32).reshape(*grid, -1) - self.background
        self.mask: Singles = np.repeat(truth.object_masks.reshape(*grid, -1), 3, axis=2).astype(np.float32)
        outside = np.stack([_outside(masks) for masks in truth.object_masks])
        self.outside: Singles = np.repeat(outside.reshape(*grid, -1), 3, axis=2)
        self._sizes: Singles = np.sum(self.added**2, axis=2)
        self.most: Singles = self._sizes.max(axis=1) / np.float32(self.added.shape[-1])
        self._shared = {
            (j, k): 2 * self.added[j] @ self.added[k].T for j in range(grid[0]) for k in range(grid[0]) if j != k
        }
        self.hidden = self._hidden_in(truth, len(film.frames))

    def score(self, frames: Array, block: slice) -> tuple[Floats, Floats, Floats]:
        """The frames of a block, uint8 [B, H, W, 3] -> background PSNR, similarity and kept, each [B]; NaN where undefined."""
        shown = self._shown(frames)
        best, *found = self._placed(shown)
        outside = self.outside[0, best[:, 0]]
        for k in range(1, best.shape[1]):
            outside = outside * self.outside[k, best[:, k]]
        weight = outside.sum(axis=1, dtype=np.float64)
        error = np.sum(outside * shown**2, axis=1, dtype=np.float64)
        mse = np.divide(error, weight, out=np.full(len(best), np.nan), where=weight > 0)
        similarity, kept = (np.where(self.hidden[block], np.nan, one) for one in found)
        return decibels(mse), known_mean(similarity), known_mean(kept)

    def find(self, frames: Array) -> tuple[Places, Floats]:
        """Frames uint8 [B, H, W, 3] -> each object's best place and whether it is kept there, 0 or 1; NaN where it cannot be
        seen. Both [B, K]"""
        best, _, kept = self._placed(self._shown(frames))
        return best, kept

    def _placed(self, shown: Singles) -> tuple[Places, Floats, Floats]:
        """Of each object its place, and there its similarity and whether it is kept, all [B, K]."""
        best = self._best(shown)
        similarity, kept = self._objects(shown, best)
        if best.shape[1] > 1:
            covering = np.sum([self.mask[k, best[:, k]] > 0 for k in range(best.shape[1])], axis=0).max(axis=1) > 1
            rows = np.flatnonzero(covering | (kept == 0).any(axis=1))
            there = np.ones((len(rows), best.shape[1]), np.float32)
            for _ in range(_ROUNDS if len(rows) else 0):
                for k in range(best.shape[1]):
                    best[rows, k] = self._beside(shown[rows], best[rows], there, k)
                similarity[rows], kept[rows] = self._objects(shown[rows], best[rows])
                there = (kept[rows] == 1).astype(np.float32)
        return best, similarity, kept

    def _objects(self, shown: Singles, best: Places) -> tuple[Floats, Floats]:
        """Similarity and kept of each object, both [B, K], from the front to the back."""
        similarity, kept = np.empty(best.shape), np.empty(best.shape)
        clear: Singles = np.ones_like(shown)
        for k in reversed(range(best.shape[1])):
            added, mask = self.added[k, best[:, k]], self.mask[k, best[:, k]]
            seen = mask * clear
            whole, energy = np.sum(mask * added**2, axis=1), np.sum(seen * added**2, axis=1)
            covered = energy < SEEN_SHARE * whole
            similarity[:, k] = np.where(covered, 0.0, _similarity(shown, added, seen, energy))
            kept[:, k] = np.where(covered, 0.0, _kept(shown, added, seen, energy))
            clear = np.where((mask > 0) & (kept[:, k, None] == 1), np.float32(0), clear)
        return similarity, kept

    def _hidden_in(self, truth: Truth, frames: int) -> npt.NDArray[np.bool_]:
        """Which objects another one hides in the true film: more of them than what must be seen. [F, K]"""
        objects = len(self.added)
        if objects == 1 or truth.places is None or truth.grid is None:
            return np.zeros((frames, objects), np.bool_)
        hidden = np.zeros((frames, objects), np.bool_)
        size = np.array(truth.background.shape[1::-1])
        for f, places in enumerate(truth.places[:frames]):
            off = np.abs(places[:, None] - truth.grid) % size
            at = np.argmin((np.minimum(off, size - off) ** 2).sum(axis=-1), axis=1)
            clear = np.ones(self.mask.shape[-1], np.bool_)
            for k in reversed(range(objects)):
                energy = self.mask[k, at[k]] * self.added[k, at[k]] ** 2
                hidden[f, k] = energy[clear].sum() < SEEN_SHARE * energy.sum()
                clear &= self.mask[k, at[k]] == 0
        return hidden

    def _shown(self, frames: Array) -> Singles:
        return frames.reshape(len(frames), -1).astype(np.float32) / np.float32(255) - self.background

    def _best(self, shown: Singles) -> Places:
        """Where the objects are, as if none hid another: placed in the order that leaves least unexplained. [B, K]"""
        # |f - r_p|^2 = |s - a_p|^2 with s = f - b and a_p = r_p - b; |s|^2 is the same for every p. Taking b off first
        # keeps the products small, so single precision is enough to tell neighbouring positions apart.
        alone = [sizes - 2 * (shown @ added.T) for sizes, added in zip(self._sizes, self.added, strict=True)]
        tried = [self._in_turn(alone, order) for order in permutations(range(len(alone)))]
        least = np.argmin([error for error, _ in tried], axis=0)
        chosen: Places = np.stack([places for _, places in tried])[least, np.arange(len(shown))]
        return chosen

    def _in_turn(self, alone: Sequence[Singles], order: Sequence[int]) -> tuple[Singles, Places]:
        """What placing the objects in that order leaves of the squared error, but for what is the same for all [B], and where they
        then are [B, K]."""
        rows, total = np.arange(len(alone[0])), np.zeros(len(alone[0]), np.float32)
        places = np.zeros((len(rows), len(order)), np.int64)
        for turn, k in enumerate(order):
            error = alone[k]
            for j in order[:turn]:
                error = error + self._shared[j, k][places[:, j]]
            places[:, k] = np.argmin(error, axis=1)
            total = total + error[rows, places[:, k]]
        return total, places

    def _beside(self, shown: Singles, places: Places, there: Singles, k: int) -> Places:
        """Where object k is with those of the others that are there [B, K] at their places, before or behind it. [B]"""
        # A frame is o + w (a_p + (1 - m_p) h): h lies behind the object, o and w are what is before it and what that lets
        # through. With u = s - o - w h the squared error is a sum of products of what a frame has and what a place has.
        behind, before, through = np.zeros_like(shown), np.zeros_like(shown), np.ones_like(shown)
        for j in range(k):
            added, mask = (there[:, j, None] * of[j, places[:, j]] for of in (self.added, self.mask))
            behind = added + (1 - mask) * behind
        for j in reversed(range(k + 1, places.shape[1])):
            added, mask = (there[:, j, None] * of[j, places[:, j]] for of in (self.added, self.mask))
            before, through = before + through * added, through * (1 - mask)
        added, mask, left = self.added[k], self.mask[k], shown - before - through * behind
        # It must be seen: one that is lost would else be taken to be behind another.
        energy = mask * added**2
        covered = (through == 1).astype(np.float32) @ energy.T < SEEN_SHARE * energy.sum(axis=1)
        error = through**2 @ (added**2).T - 2 * (through * left) @ added.T + 2 * (through * left * behind) @ mask.T
        error += (through * behind) ** 2 @ (mask**2).T - 2 * (through**2 * behind) @ (added * mask).T
        return np.asarray(np.argmin(np.where(covered, np.inf, error), axis=1))


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
    shapes = (truth.background.shape, truth.object_renders.shape[2:], (*truth.object_masks.shape[2:], 3))
    if any(shape != frame for shape in shapes) or truth.object_renders.shape[:2] != truth.object_masks.shape[:2]:
        received = f"{truth.background.shape}, {truth.object_renders.shape} and {truth.object_masks.shape}"
        raise ValueError(f"truth: received background, renders and masks {received}, expected frames of {frame}")
    return truth
