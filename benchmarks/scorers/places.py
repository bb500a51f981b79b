"""Where the objects of a film are, to a fraction of a pixel, and how far the frames are from the true scene with them there."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from benchmarks.arrays import Array, Floats, Singles
from benchmarks.films.film import Film
from benchmarks.films.truth import Truth, painted
from benchmarks.scorers.truth import KnownScene

_ROUNDS = 2  # in which each of several objects is placed beside the others
Bools = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.int64]  # places in units of 1 / S pixel


@dataclass(frozen=True, eq=False)
class FoundPlaces:
    """Of each frame: the (x, y) of each object in pixels [F, K, 2], wherever it fits best; whether it is kept there [F, K], and
    whether the true film hides it, so that nothing can be said of it [F, K]; how alike it is to the true one there [F, K], 0 to
    1; and the mean squared error on 0..1 [F] of the whole frame from the true scene with each object where it was found if it is
    kept there, else at its true place."""

    places: Floats
    kept: Bools
    hidden: Bools
    likeness: Floats
    error: Floats


@lru_cache(maxsize=1)  # several scorers ask for the film that is scored
def found_places(film: Film) -> FoundPlaces:
    """Raises ValueError for a truth without the course of its objects, or of another size or length than the film."""
    scene, painter = KnownScene(film), _Painter(film)
    blocks = [painter.found(scene, film.frames[block], block) for block in film.blocks()]
    return FoundPlaces(*(np.concatenate(column) for column in zip(*blocks, strict=True)))


class _Painter:
    """Draws the true scene with its objects at any places, in steps of 1 / S pixel."""

    def __init__(self, film: Film) -> None:
        self.background, self.stamps, self.grid, self.places = _require_course(film)
        self.steps = self.stamps.shape[1]

    def found(self, scene: KnownScene, frames: Array, block: slice) -> tuple[Floats, Bools, Bools, Floats, Floats]:
        """The frames of a block, uint8 [B, H, W, 3] -> what FoundPlaces has of them."""
        shown = frames.astype(np.float32) / np.float32(255)
        best, share = scene.find(frames)
        kept = share == 1
        true = np.rint(self.places[block] * self.steps).astype(np.int64)
        at = np.rint(self.grid[best] * self.steps).astype(np.int64)
        for _ in range(_ROUNDS if at.shape[1] > 1 else 1):
            for k in range(at.shape[1]):
                at[:, k] = self._nearer(shown, at, kept, k)
        scenes = self._scene(np.where(kept[..., None], at, true))
        error: Floats = np.mean((shown - scenes) ** 2, axis=(1, 2, 3), dtype=np.float64)
        height, width = shown.shape[1:3]
        likeness = np.stack([self._likeness(shown, at, kept, k) for k in range(at.shape[1])], axis=1)
        return at / self.steps % (width, height), kept, scene.hidden[block], likeness, error

    def _likeness(self, shown: Singles, at: Steps, kept: Bools, k: int) -> Floats:
        """2 s a / (s s + a a) of what frames and the true scene add to the scene without object k, at its place and around it:
        1 for the same, 0 for nothing in common, less for an object that is fainter, larger, or of another colour. [B]"""
        without, with_it = kept.copy(), kept.copy()
        without[:, k], with_it[:, k] = False, True
        empty = self._scene(at, without)
        added, found = self._scene(at, with_it) - empty, shown - empty
        near = _grown(self._stamp(k, at[:, k])[..., 3] > 0)[..., None]
        sums = [
            np.sum(near * one * other, axis=(1, 2, 3))
            for one, other in ((found, added), (found, found), (added, added))
        ]
        like: Floats = np.clip(2 * sums[0] / np.maximum(sums[1] + sums[2], 1e-8), 0, 1).astype(np.float64)
        return like

    def _nearer(self, shown: Singles, at: Steps, kept: Bools, k: int) -> Steps:
        """Where object k fits best within a pixel, beside the others that are kept. [B, 2]"""
        best, step = at[:, k], self.steps // 2
        there = kept.copy()
        there[:, k] = True
        while step:
            around = np.array([(x, y) for y in (0, -step, step) for x in (0, -step, step)])  # of equals, the one it has
            tried = np.repeat(at[:, None], len(around), axis=1)
            tried[:, :, k] = best[:, None] + around
            scenes = self._scene(tried, there[:, None])
            error = np.sum((shown[:, None] - scenes) ** 2, axis=(2, 3, 4))
            best = tried[np.arange(len(at)), np.argmin(error, axis=1), k]
            step //= 2
        return best

    def _scene(self, at: Steps, there: Bools | None = None) -> Singles:
        """The true scene with the objects that are there [..., K], or all, at places [..., K, 2]. [..., H, W, 3]"""
        image: Singles = np.broadcast_to(self.background, (*at.shape[:-2], *self.background.shape)).astype(np.float32)
        for k in range(at.shape[-2]):
            stamp = self._stamp(k, at[..., k, :])
            if there is not None:
                stamp[..., 3] *= there[..., k, None, None]
            image = painted(image, stamp)
        return image

    def _stamp(self, k: int, at: Steps) -> Singles:
        """[..., H, W, 4]"""
        height, width = self.background.shape[:2]
        (right, across), (down, below) = np.divmod(at[..., 0], self.steps), np.divmod(at[..., 1], self.steps)
        rows = (np.arange(height) - down[..., None])[..., :, None] % height
        columns = (np.arange(width) - right[..., None])[..., None, :] % width
        found: Singles = self.stamps[k][below[..., None, None], across[..., None, None], rows, columns]
        return found


def _grown(masks: Bools) -> Bools:
    """By two pixels, around the borders. [B, H, W]"""
    for axis in (1, 2):
        masks = np.any([np.roll(masks, off, axis) for off in range(-2, 3)], axis=0)
    return masks


def _require_course(film: Film) -> tuple[Singles, Singles, Floats, Floats]:
    """Background in 0..1, stamps, grid and places."""
    truth: Truth | None = film.truth
    if truth is None or truth.object_stamps is None or truth.places is None or truth.grid is None:
        raise ValueError("truth: received no object_stamps, places and grid, expected the course of the film's objects")
    total, height, width, _ = film.frames.shape
    objects = len(truth.object_masks)
    given = (truth.object_stamps.shape[0], *truth.object_stamps.shape[3:], *truth.places.shape)
    if given != (wanted := (objects, height, width, 4, total, objects, 2)):
        raise ValueError(f"truth: received object_stamps and places {given}, expected {wanted} (K, H, W, 4, F, K, 2)")
    background: Singles = truth.background.astype(np.float32) / np.float32(255)
    return background, truth.object_stamps.astype(np.float32), truth.grid.astype(float), truth.places.astype(float)
