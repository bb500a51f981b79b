from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arrays import Array, Floats
from benchmarks.colours import lab
from benchmarks.films.film import Film
from benchmarks.scorers.background import BackgroundScorer
from benchmarks.validation.drifts import blur, fade, hue, sharpen, swap
from tests.benchmarks.conftest import Pair

FRAMES = 9
PLACES = np.stack([np.linspace((4, 4), (8, 5), FRAMES), np.linspace((11.5, 11), (10, 12), FRAMES)], axis=1)


@pytest.fixture
def true(pair: Pair) -> Film:
    return pair.film(pair.frames(PLACES), PLACES)


def last(film: Film, frames: Array | None = None) -> dict[str, float]:
    """Each metric of the last frame, of the film or of others with the same truth."""
    shown = film if frames is None else replace(film, frames=frames)
    return {name: float(values[-1]) for name, values in BackgroundScorer().frames(shown).items()}


def test_a_true_film_has_no_drift_and_all_its_detail(true: Film, pair: Pair) -> None:
    found = BackgroundScorer().frames(true)
    assert found["light_drift"] == pytest.approx(np.zeros(FRAMES))
    assert found["hue_drift"] == pytest.approx(np.zeros(FRAMES))
    assert found["detail_kept"] == pytest.approx(np.ones(FRAMES))
    assert {name: len(values) for name, values in BackgroundScorer().score(true).items()} == dict.fromkeys(found, 2)


@pytest.mark.parametrize("stops", [0.05, 0.3, -0.3])
def test_other_light_is_the_difference_in_lightness(true: Film, stops: float) -> None:
    assert true.truth is not None
    first, then = (lab(true.truth.background * factor / 255)[..., 0].mean() for factor in (1, 2**stops))
    found = last(true, after_the_first_clip(true, np.rint(true.frames[:] * 2**stops)))
    assert found["light_drift"] == pytest.approx(abs(then - first), rel=0.04)
    assert found["hue_drift"] < 0.1


def after_the_first_clip(true: Film, frames: Array) -> Array:
    """The true film, and from its second clip on the other frames."""
    start = true.clips[1].start
    return np.concatenate([true.frames[:start], frames[start:].clip(0, 255).astype(np.uint8)])


@pytest.mark.parametrize("degrees", [3, 10, 40])
def test_colours_that_turn_count_as_far_as_they_come(true: Film, degrees: float) -> None:
    """Of a background of one lightness whose chroma is 20: a turn by d degrees is a chord of 40 sin(d / 2)."""
    assert true.truth is not None
    angles = np.random.default_rng(0).uniform(0, 0.5, true.truth.background.shape[:2])
    background, moved = (of_lab(20, angles + np.radians(by)) for by in (0, degrees))
    film = replace(true, truth=replace(true.truth, background=background))
    shown = np.repeat(background[None], FRAMES, axis=0)
    shown[true.clips[1].start :] = moved
    found = last(film, shown)
    assert found["hue_drift"] == pytest.approx(40 * np.sin(np.radians(degrees) / 2), abs=0.1)
    assert found["light_drift"] < 0.1


def of_lab(chroma: float, angles: Floats) -> Array:
    """uint8 sRGB of lightness 60, one step of Newton's after the other."""
    wanted = np.stack([np.full_like(angles, 60), chroma * np.cos(angles), chroma * np.sin(angles)], axis=-1)
    colours = np.full(wanted.shape, 0.5)
    for _ in range(20):
        slope = np.stack([(lab(colours + step) - lab(colours)) / 1e-5 for step in 1e-5 * np.eye(3)], axis=-1)
        colours += np.linalg.solve(slope, (wanted - lab(colours))[..., None])[..., 0]
    return np.rint(255 * colours).astype(np.uint8)


def test_hue_grows_almost_to_the_half_turn(true: Film) -> None:
    values = [last(true, hue(true, dose))["hue_drift"] for dose in (0, 3, 10, 30, 60, 120, 170)]
    assert (np.diff(values) > 0.5).all()


def test_a_cast_of_the_whole_film_is_no_drift(true: Film) -> None:
    cast = np.rint(true.frames[:] * [1.05, 1, 0.95]).clip(0, 255).astype(np.uint8)
    found = last(true, cast)
    assert found["light_drift"] < 0.15
    assert found["hue_drift"] < 0.3


@pytest.mark.parametrize("sigma", [0.3, 0.5, 0.8])
def test_a_blur_leaves_what_its_kernel_leaves_of_neighbours_that_differ_at_random(true: Film, sigma: float) -> None:
    """k0 (k0 - k1) of a kernel with k0 in its middle and k1 beside it."""
    kernel = np.exp(-(np.arange(-4, 5) ** 2) / (2 * sigma**2))
    middle, beside = kernel[4:6] / kernel.sum()
    assert last(true, blur(true, sigma))["detail_kept"] == pytest.approx(middle * (middle - beside), abs=0.04)


def test_drawing_detail_over_does_not_gain(true: Film) -> None:
    overdrawn = [last(true, sharpen(true, dose))["detail_kept"] for dose in (0, 0.3, 0.6, 1)]
    assert (np.diff(overdrawn) < -0.05).all()


def test_contrast_is_detail_by_its_factor_and_noise_is_none(true: Film, pair: Pair) -> None:
    mean = pair.background.mean(axis=(0, 1))
    flatter = np.rint(mean + 0.8 * (true.frames[:] - mean)).astype(np.uint8)
    assert last(true, flatter)["detail_kept"] == pytest.approx(0.8, abs=0.01)
    noise = np.random.default_rng(0).normal(0, 5, true.frames.shape)
    noisy = BackgroundScorer().frames(
        replace(true, frames=np.rint(true.frames[:] + noise).clip(0, 255).astype(np.uint8))
    )
    assert noisy["detail_kept"].mean() == pytest.approx(1, abs=0.03)


def test_what_becomes_of_objects_is_no_drift_of_the_background(true: Film, pair: Pair) -> None:
    whole = last(true)
    for shown in (fade(true, 0.2), swap(true, 0.1), pair.frames(PLACES + 1.5)):
        assert last(true, shown) == pytest.approx(whole, abs=0.02)


def test_where_objects_leave_nothing_free_nothing_is_said(true: Film) -> None:
    assert true.truth is not None
    assert true.truth.object_stamps is not None
    stamps = true.truth.object_stamps.copy()
    stamps[..., 3] = 1
    everywhere = replace(true, truth=replace(true.truth, object_stamps=stamps))
    assert all(np.isnan(values).all() for values in BackgroundScorer().frames(everywhere).values())


def test_a_flat_background_has_no_detail_to_keep(true: Film) -> None:
    assert true.truth is not None
    flat = np.full_like(true.truth.background, 90)
    shown = np.repeat(flat[None], FRAMES, axis=0)
    found = last(replace(true, truth=replace(true.truth, background=flat)), shown)
    assert np.isnan(found["detail_kept"])
    assert (found["light_drift"], found["hue_drift"]) == (0, pytest.approx(0, abs=1e-6))
