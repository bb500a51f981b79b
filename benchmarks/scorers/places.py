"""Where the objects of a film are, to a fraction of a pixel, how far the frames are from the true scene with them there, and
which pixels they leave free."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from benchmarks.arrays import Array, Floats, Singles
from benchmarks.films.film import Film
from benchmarks.films.truth import Truth, painted
from benchmarks.scorers.truth import KEPT_SHARE, KnownScene

_ROUNDS = 2  # in which objects are placed; from the second on, those that touch
_NEAR = 2  # pixels around an object in which its likeness is judged
_NOTHING = 1e-8
Bools = npt.NDArray[np.bool_]
Steps = npt.NDArray[np.int64]  # places in units of 1 / S pixel


@dataclass(frozen=True, eq=False)
class FoundPlaces:
    """Of each frame and object: its (x, y) in pixels [F, K, 2], where it fits best; whether it is kept there [F, K], and whether
    the true film hides it, so that nothing can be said of it [F, K]; how alike it is to the true one there [F, K], 0 to 1.

    error [F]: the mean squared error on 0..1 of the whole frame from the true scene with its objects there. An object that is
    lost is charged as if it were missing where it can be seen best, wherever it fits best. NaN where the true film hides one.
    """

    places: Floats
    kept: Bools
    hidden: Bools
    likeness: Floats
    error: Floats


@lru_cache(maxsize=1)  # several scorers ask for the film that is scored
def found_places(film: Film) -> FoundPlaces:
    """Raises ValueError for a truth without stamps, or of another size than the film."""
    scene, painter = KnownScene(film), _Painter(film)
    blocks = [painter.found(scene, film.frames[block], block) for block in film.blocks()]
    return FoundPlaces(*(np.concatenate(column) for column in zip(*blocks, strict=True)))


def uncovered(film: Film) -> Bools:
    """Which pixels no object touches, where it is found, nor one beside them. [F, H, W]. Raises ValueError as `found_places`."""
    places, painter = found_places(film).places, _Painter(film)
    return np.concatenate([~_grown(painter.covered(places[block]), 1) for block in film.blocks()])


class _Painter:
    """Draws the true scene with its objects at any places, in steps of 1 / S pixel."""

    def __init__(self, film: Film) -> None:
        self.background, self.stamps, self.grid = _require_stamps(film)
        self.steps = self.stamps.shape[1]

    def found(self, scene: KnownScene, frames: Array, block: slice) -> tuple[Floats, Bools, Bools, Floats, Floats]:
        """The frames of a block, uint8 [B, H, W, 3] -> what FoundPlaces has of them."""
        shown, hidden = frames.astype(np.float32) / np.float32(255), scene.hidden[block]
        best, share = scene.find(frames)
        kept = share == 1
        at = np.rint(self.grid[best] * self.steps).astype(np.int64)
        rows = np.arange(len(at))
        for _ in range(_ROUNDS if at.shape[1] > 1 else 1):
            for k in range(at.shape[1] if len(rows) else 0):
                at[rows, k] = self._nearer(shown[rows], at[rows], kept[rows], k)
            rows = np.flatnonzero(self._touching(at))
        judged = [self._judged(shown, at, kept, k) for k in range(at.shape[1])]
        likeness = np.stack([like for like, _ in judged], axis=1)
        kept = kept | (np.stack([explained for _, explained in judged], axis=1) > KEPT_SHARE)
        there = np.ones_like(kept)
        scenes = self._scene(at, there)
        error: Floats = np.mean((shown - scenes) ** 2, axis=(1, 2, 3), dtype=np.float64)
        for k in range(at.shape[1]):
            lost = np.flatnonzero(~kept[:, k])
            without = there[lost].copy()
            without[:, k] = False
            here = np.mean((scenes[lost] - self._scene(at[lost], without)) ** 2, axis=(1, 2, 3))
            error[lost] += np.maximum(scene.most[k] - here, 0)
        error[hidden.any(axis=1)] = np.nan
        _, height, width, _ = frames.shape
        return at / self.steps % (width, height), kept, hidden, likeness, error

    def covered(self, places: Floats) -> Bools:
        """Which pixels objects at places [B, K, 2], in pixels, touch. [B, H, W]"""
        at = np.rint(places * self.steps).astype(np.int64)
        return np.asarray(np.any([self._stamp(k, at[:, k])[..., 3] > 0 for k in range(at.shape[1])], axis=0))

    def _judged(self, shown: Singles, at: Steps, kept: Bools, k: int) -> tuple[Floats, Floats]:
        """Of object k at its place, with s what frames and a what the true scene adds there to the scene without it. Likeness,
        2 s a / (s s + a a) in its mask and two pixels around it: 1 for the same, less for an object that is fainter, larger, or
        of another colour, 0 for nothing in common. And the share of a a in its mask that s explains. Both [B]"""
        without, with_it = kept.copy(), kept.copy()
        without[:, k], with_it[:, k] = False, True
        empty, mask = self._scene(at, without), self._stamp(k, at[:, k])[..., 3]
        added, found = self._scene(at, with_it) - empty, shown - empty
        near, inside = _grown(mask > 0, _NEAR)[..., None], mask[..., None]

        def over(weight: Array, one: Singles) -> Floats:
            return np.asarray(np.sum(weight * one, axis=(1, 2, 3), dtype=np.float64))

        size = np.maximum(over(near, found**2) + over(near, added**2), _NOTHING)
        explained = 1 - over(inside, (found - added) ** 2) / np.maximum(over(inside, added**2), _NOTHING)
        return np.clip(2 * over(near, found * added) / size, 0, 1), explained

    def _touching(self, at: Steps) -> Bools:
        """Whether any two of the objects share a pixel. [B]"""
        masks = [self._stamp(k, at[:, k])[..., 3] > 0 for k in range(at.shape[1])]
        return np.asarray(np.sum(masks, axis=0).max(axis=(1, 2)) > 1)

    def _nearer(self, shown: Singles, at: Steps, kept: Bools, k: int) -> Steps:
        """Where object k fits best within a pixel, beside the others that are kept: steps halve from half a pixel on. [B, 2]"""
        best, step = at[:, k], self.steps // 2
        behind = self._scene(at[:, :k], kept[:, :k])[:, None]
        fronts = [self._stamp(j, at[:, j], kept[:, j])[:, None] for j in range(k + 1, at.shape[1])]
        while step:
            around = np.array([(x, y) for y in (0, -step, step) for x in (0, -step, step)])  # of equals, the one it has
            tried = best[:, None] + around
            scenes = painted(behind, self._stamp(k, tried))
            for front in fronts:
                scenes = painted(scenes, front)
            error = np.sum((shown[:, None] - scenes) ** 2, axis=(2, 3, 4))
            best = tried[np.arange(len(at)), np.argmin(error, axis=1)]
            step //= 2
        return best

    def _scene(self, at: Steps, there: Bools) -> Singles:
        """The true scene with the objects that are there [B, K], at places [B, K, 2]. [B, H, W, 3]"""
        image: Singles = np.broadcast_to(self.background, (len(at), *self.background.shape))
        for k in range(at.shape[1]):
            image = painted(image, self._stamp(k, at[:, k], there[:, k]))
        return image

    def _stamp(self, k: int, at: Steps, there: Bools | None = None) -> Singles:
        """Object k at places [..., 2], covering nothing where it is not there [...]. [..., H, W, 4]"""
        height, width = self.background.shape[:2]
        (right, across), (down, below) = np.divmod(at[..., 0], self.steps), np.divmod(at[..., 1], self.steps)
        rows = (np.arange(height) - down[..., None])[..., :, None] % height
        columns = (np.arange(width) - right[..., None])[..., None, :] % width
        found: Singles = self.stamps[k][below[..., None, None], across[..., None, None], rows, columns]
        if there is not None:
            found[..., 3] *= there[..., None, None]
        return found


def _grown(masks: Bools, pixels: int) -> Bools:
    """By that many, around the borders. [B, H, W]"""
    for axis in (1, 2):
        masks = np.any([np.roll(masks, off, axis) for off in range(-pixels, pixels + 1)], axis=0)
    return masks


def _require_stamps(film: Film) -> tuple[Singles, Singles, Floats]:
    """Background in 0..1, stamps and grid."""
    truth: Truth | None = film.truth
    if truth is None or truth.object_stamps is None or truth.grid is None:
        raise ValueError(
            "truth: received no object_stamps and grid, expected what objects look like at fractions of a pixel"
        )
    given, wanted = truth.object_stamps.shape, (len(truth.object_masks), *truth.background.shape[:2], 4)
    if (given[0], *given[3:]) != wanted:
        raise ValueError(f"truth: received object_stamps {given}, expected [K, S, S, H, W, 4] with {wanted}")
    background: Singles = truth.background.astype(np.float32) / np.float32(255)
    return background, truth.object_stamps.astype(np.float32), truth.grid.astype(np.float64)
