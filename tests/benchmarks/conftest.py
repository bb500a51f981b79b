"""A small known world whose films the tests compose: a plain-coloured disc over a textured background."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.arrays import Array
from benchmarks.films.film import Film, Truth
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
        self.truth = Truth(self.background, renders, masks)

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


def to_uint8(images: Array) -> Array:
    return np.asarray(np.rint(255 * images), dtype=np.uint8)


@pytest.fixture(scope="session")
def world() -> World:
    return World()


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
