import numpy as np
import pytest

from benchmarks.arrays import Array
from benchmarks.films.film import Film
from benchmarks.scorers.repetition import RepetitionScorer
from benchmarks.track import clip_slices
from svi.data import world

FRAMES = 161
SCENE = world.Scene(3, 0, 4, 9, 3, "slowly", 16, 16)
TRUE = world.render([SCENE] * FRAMES)


def repetition(frames: Array, true: Array | None = TRUE) -> float:
    film = Film(frames, 8, clip_slices(FRAMES, 40, 5, 1), continuation=true)
    found = RepetitionScorer().score(film)["repetition"]
    assert np.isnan(found[:2]).all()  # the first second
    return float(found[-20:].mean())


def noisy(frames: Array) -> Array:
    return np.clip(frames + np.random.default_rng(0).normal(0, 3, frames.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("period", [8, 12, 20, 36])
def test_a_loop_repeats_itself(period: int) -> None:
    assert repetition(TRUE[np.arange(FRAMES) % period]) > 0.9
    assert repetition(noisy(TRUE[np.arange(FRAMES) % period])) > 0.6


def test_there_and_back_again_is_a_repetition_too() -> None:
    there = np.abs((np.arange(FRAMES) + 20) % 40 - 20)
    assert repetition(TRUE[there]) > 0.8


@pytest.mark.parametrize("speed", [1, 0.6, 0.1, 0])
def test_neither_slow_motion_nor_a_still_film_repeats_anything(speed: float) -> None:
    slow = TRUE[(np.arange(FRAMES) * speed).astype(int)]
    assert repetition(slow) < 0.05
    assert repetition(noisy(slow)) < 0.15


def test_what_the_true_film_repeats_is_no_fault() -> None:
    """The object of the embedded world comes around."""
    quick = world.render([SCENE.turned(0, "quickly")] * FRAMES)
    assert repetition(quick, None) > 0.9
    assert repetition(quick, quick) < 0.05


def test_large_fast_films_are_reduced_first() -> None:
    large = TRUE.repeat(3, axis=1).repeat(3, axis=2)[np.arange(FRAMES) % 12]
    film = Film(large.repeat(2, axis=0), 16, clip_slices(2 * FRAMES, 40, 10, 2))
    found = RepetitionScorer().frames(film)["repetition"]
    assert np.isnan(found[1::2]).all()
    plain = Film(TRUE[np.arange(FRAMES) % 12], 8, clip_slices(FRAMES, 40, 5, 1))
    assert found[::2] == pytest.approx(RepetitionScorer().frames(plain)["repetition"], abs=1e-5, nan_ok=True)


def test_how_a_film_is_cut_into_blocks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 24 fps every third frame is looked at; large frames come one a block, most of which hold none of them."""
    film = Film(TRUE[np.arange(FRAMES) % 20], 24, clip_slices(FRAMES, 40, 5, 1))
    whole = RepetitionScorer().score(film)["repetition"]
    monkeypatch.setattr("benchmarks.films.film.BLOCK_BYTES", 1)
    assert np.array_equal(RepetitionScorer().score(film)["repetition"], whole, equal_nan=True)
