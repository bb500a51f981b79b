"""A browser, and a page to open in it."""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from svi.generation.video import write_mp4
from tests.chromium import pages
from tests.reports.page.films import TRACK, Films, write_page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pages() as context:
        yield context


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of 8 s at 8 fps, and of 4 s in the second sample, all in the page."""
    return write_page(tmp_path_factory.mktemp("short"), 8, 8, samples=2)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Films:
    """Two samples of small films of two variants, and the true ones, all kept without loss."""
    folder = tmp_path_factory.mktemp("known")
    frames = np.random.default_rng(0).integers(0, 255, (2, 16, 16, 16, 3), dtype=np.uint8)
    np.save(folder / "continuation.npy", frames)
    np.save(folder / "frames.npy", frames[:, ::-1])
    names = ("full", "base")
    for name, row in itertools.product(names, range(2)):
        (folder / name).mkdir(exist_ok=True)
        write_mp4(folder / name / f"scene-{row:02d}.mp4", frames[row, ::-1], 8, 16, 16)
    return {
        "tracks": [TRACK],
        "variants": {name: {} for name in names},
        "frames": {TRACK: {name: str(folder / "frames.npy") for name in names}},
        "videos": {TRACK: {name: [str(folder / name / f"scene-{row:02d}.mp4") for row in range(2)] for name in names}},
        "truth": {TRACK: str(folder / "continuation.npy")},
    }
