"""A small known world whose films the tests compose: a plain-coloured disc over a textured background."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.arrays import Array
from benchmarks.films.film import Film
from benchmarks.films.truth import Truth, painted, truth_of
from benchmarks.track import clip_slices

SIZE = 16
RADIUS = 3.0
COLOUR = np.array([0.95, 0.1, 0.2])
Point = tuple[float, float]


class World:
    """The disc can be drawn at any point; the truth knows it on a grid with one pixel between positions."""

    def __init__(self) -> None:
        # Between 60 and 180, so that a test can shift the brightness without clipping.
        self.background: Array = np.random.default_rng(1).integers(60, 181, (SIZE, SIZE, 3), dtype=np.uint8)
        self.grid: list[Point] = [(float(y), float(x)) for y in range(4, 13) for x in range(4, 13)]
        masks = np.stack([self.mask(point) for point in self.grid]).astype(np.float32)
        renders = np.stack([self.scene(point) for point in self.grid]).astype(np.float32)
        self.truth = Truth(
            self.background, renders, masks, object_stamps=self._stamps(), grid=np.array(self.grid)[:, ::-1]
        )

    def _stamps(self) -> Array:
        """[1, S, S, H, W, 4]"""
        middle, eighths = SIZE // 2, np.arange(8) / 8
        masks = np.stack([[self.mask((middle + y, middle + x)) for x in eighths] for y in eighths])
        covered = np.roll(masks, (-middle, -middle), axis=(2, 3))[None, ..., None]
        return np.concatenate([np.broadcast_to(COLOUR, (*covered.shape[:-1], 3)), covered], axis=-1)

    def course(self, path: Sequence[Point]) -> dict[str, Array]:
        """Places and velocities of a disc that moves through these (y, x)."""
        places = np.array(path)[:, None, ::-1]
        return {"places": places, "velocities": np.gradient(places, axis=0)}

    def mask(self, centre: Point) -> Array:
        """Coverage [H, W], soft at the rim."""
        y, x = np.mgrid[:SIZE, :SIZE] + 0.5
        return np.asarray(np.clip(RADIUS + 0.5 - np.hypot(y - centre[0], x - centre[1]), 0, 1))

    def scene(self, centre: Point, strength: float = 1.0) -> Array:
        """The true scene on 0..1 [H, W, 3], its object blended in with `strength`."""
        mask = strength * self.mask(centre)[..., None]
        return np.asarray(mask * COLOUR + (1 - mask) * self.background / 255)

    def frames(self, centres: Sequence[Point], strength: float = 1.0) -> Array:
        """uint8 [F, H, W, 3]."""
        return to_uint8(np.stack([self.scene(centre, strength) for centre in centres]))

    def film(self, frames: Array) -> Film:
        """With clips of 5 frames that overlap by 1."""
        clips = clip_slices(len(frames), max(1, -(-(len(frames) - 1) // 4)), clip_frames=5, overlap=1)
        return Film(frames, fps=8, clips=clips, truth=self.truth)


class Pair:
    """Two plain objects, a disc and in front of it a square, over a textured background; they move and meet."""

    def __init__(self) -> None:
        self.background: Array = np.random.default_rng(2).integers(60, 181, (SIZE, SIZE, 3), dtype=np.uint8)
        self.stamps = np.stack([self._stamps(kind) for kind in (0, 1)])

    def _stamps(self, kind: int) -> Array:
        """[S, S, H, W, 4]"""
        around = (np.arange(8 * SIZE) + 0.5) / 8
        around = (around + SIZE / 2) % SIZE - SIZE / 2  # distance of each subpixel from the corner
        y, x = around[:, None], around[None]
        inside = np.hypot(x, y) <= RADIUS if kind == 0 else np.maximum(abs(x), abs(y)) <= 2.5
        moved = np.stack([[np.roll(inside, (a, b), (0, 1)) for b in range(8)] for a in range(8)])
        covered = moved.reshape(8, 8, SIZE, 8, SIZE, 8).mean(axis=(3, 5))[..., None]
        colour = np.broadcast_to([COLOUR, [0.1, 0.15, 0.95]][kind], (*covered.shape[:-1], 3))
        return np.concatenate([colour, covered], axis=-1)

    def frames(self, places: Array, shown: Sequence[int] = (0, 1)) -> Array:
        """The true frames with the objects of `shown` at places [F, K, 2], each eighth of a pixel another. uint8 [F, H, W, 3]"""
        images = np.repeat(self.background[None] / 255, len(places), axis=0)
        eighths = np.rint(np.asarray(places) * 8).astype(int)
        for k in shown:
            for image, (x, y) in zip(images, eighths[:, k], strict=True):
                stamp = np.roll(self.stamps[k, y % 8, x % 8], (y // 8, x // 8), axis=(0, 1))
                image[:] = painted(image, stamp)
        return to_uint8(images)

    def film(self, frames: Array, places: Array, velocities: Array | None = None) -> Film:
        """Whose objects should be at `places` [F, K, 2], with clips of 5 frames that overlap by 1."""
        clips = clip_slices(len(frames), max(1, -(-(len(frames) - 1) // 4)), clip_frames=5, overlap=1)
        known = {"background": self.background, "object_stamps": self.stamps, "places": np.asarray(places) % SIZE}
        known["velocities"] = np.gradient(places, axis=0) if velocities is None else velocities
        return Film(frames, fps=8, clips=clips, truth=truth_of(known))


def to_uint8(images: Array) -> Array:
    return np.asarray(np.rint(255 * images), dtype=np.uint8)


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def pair() -> Pair:
    return Pair()


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    """The networks here are too small for more, which only get in each other's way."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def sync_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of both networks of Sync-C and Sync-D, as HARNESS_WEIGHTS would name them; nobody may change them."""
    from tests.benchmarks.sync.sync_videos import write_weights

    return write_weights(tmp_path_factory.mktemp("sync_weights"))


@pytest.fixture(scope="session")
def motion_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of RAFT and AMT, as VBENCH_CACHE_DIR would name them; nobody may change them."""
    from tests.benchmarks.vbench.vbench_motion_weights import write_amt, write_raft

    cache = tmp_path_factory.mktemp("motion_weights")
    write_raft(cache)
    write_amt(cache)
    return cache


@pytest.fixture(scope="session")
def i3d_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights of I3D at full size, as HARNESS_WEIGHTS would name them; nobody may change them."""
    from tests.benchmarks.fvd.fvd_weights import i3d_tensors, write_i3d

    folder = tmp_path_factory.mktemp("i3d_weights")
    write_i3d(folder, i3d_tensors())
    return folder
