import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from benchmarks.arrays import UInt8
from benchmarks.films.film import Film
from benchmarks.scorers.drift import DriftScorer
from benchmarks.scorers.steps import StepScorer
from benchmarks.track import clip_slices


def film_of(frames: UInt8) -> Film:
    return Film(frames, 8, clip_slices(len(frames), max(1, -(-(len(frames) - 1) // 4)), 5, 1))


def first_frame() -> UInt8:
    """Luma 100 +- 30 in a pattern, so that doubling the distance from the mean stays in range."""
    return (100 + 30 * np.random.default_rng(0).choice([-1, 1], (12, 12, 1))).repeat(3, axis=2).astype(np.uint8)


def test_a_still_film_does_not_drift_and_does_not_move() -> None:
    scores = DriftScorer().score(film_of(first_frame()[None].repeat(9, axis=0)))
    assert {name: value.tolist() for name, value in scores.items()} == {
        "colour_drift": [0, 0],
        "contrast_drift": [0, 0],
        "sharpness_drift": [0, 0],
    }


def test_a_tint_is_colour_drift_only() -> None:
    frames = first_frame()[None].repeat(9, axis=0)
    frames[4:] += np.array([30, 0, 0], np.uint8)
    scores = DriftScorer().score(film_of(frames))
    assert scores["colour_drift"] == pytest.approx([0, 30 / 255 / 3])
    assert scores["contrast_drift"] == pytest.approx([0, 0], abs=1e-12)
    assert scores["sharpness_drift"] == pytest.approx([0, 0], abs=1e-12)


@pytest.mark.parametrize(("factor", "expected"), [(2, 1), (0.5, 0.5), (0, 1)])
def test_contrast_and_sharpness_change_by_the_factor(factor: float, expected: float) -> None:
    first = first_frame()
    mean = first.mean()
    frames = first[None].repeat(9, axis=0).astype(float)
    frames[4:] = mean + factor * (first - mean)
    frames = np.rint(frames).astype(np.uint8)
    scores = DriftScorer().score(film_of(frames))
    assert scores["contrast_drift"] == pytest.approx([0, expected], abs=0.02)
    assert scores["sharpness_drift"] == pytest.approx([0, expected], abs=0.02)
    assert scores["colour_drift"] == pytest.approx([0, 0], abs=0.003)


def test_blur_is_sharpness_drift_before_it_is_contrast_drift() -> None:
    ramp = np.linspace(40, 200, 12)[:, None, None] + np.zeros((12, 12, 3))
    sharp = ramp + 10 * np.indices((12, 12)).sum(axis=0)[..., None] % 20
    frames = np.stack([sharp, *[ramp + 10] * 4]).astype(np.uint8)
    scores = DriftScorer().score(film_of(frames))
    assert scores["sharpness_drift"][0] > 0.7 > 0.2 > scores["contrast_drift"][0]


def test_the_undefined_is_nan() -> None:
    flat = DriftScorer().score(film_of(np.full((5, 4, 4, 3), 9, np.uint8)))
    assert np.isnan([flat["contrast_drift"], flat["sharpness_drift"]]).all()
    assert flat["colour_drift"].tolist() == [0]


def test_a_long_film_streams_from_disk(tmp_path: Path) -> None:
    shape = (1500, 96, 96, 3)
    stored = np.lib.format.open_memmap(tmp_path / "frames.npy", mode="w+", dtype=np.uint8, shape=shape)
    for start in range(0, 1500, 100):
        stored[start : start + 100] = np.arange(start, start + 100).reshape(-1, 1, 1, 1) % 200
    stored.flush()
    film = film_of(np.load(tmp_path / "frames.npy", mmap_mode="r"))
    tracemalloc.start()
    scores = DriftScorer().score(film) | StepScorer().score(film)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 24 * 2**20 < film.frames.nbytes  # the uint8 film itself has 40 MiB, as float64 316 MiB
    assert scores["motion"][0] == pytest.approx(1 / 255)


def test_statistics_agree_across_block_borders(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, 6, 6, 3), dtype=np.uint8)
    whole = DriftScorer().score(film_of(frames))
    monkeypatch.setattr("benchmarks.films.film.BLOCK_BYTES", 1)
    for name, values in DriftScorer().score(film_of(frames)).items():
        assert values == pytest.approx(whole[name], rel=1e-6), name
