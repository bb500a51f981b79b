"""Colour matching: what each way makes equal, what it keeps, and frames without colours."""

import numpy as np
import pytest
from numpy.typing import NDArray

from svi.method.colour import MATCHES, histogram, mean_std, mkl

Floats = NDArray[np.float64]


def colours(seed: int, *shape: int) -> Floats:
    """Of correlated channels, as pictures have them."""
    rng = np.random.default_rng(seed)
    mixed = rng.standard_normal((*shape, 3)) @ rng.standard_normal((3, 3))
    return 20 * mixed + rng.uniform(80, 160, 3)


def pixels(seed: int, *shape: int) -> NDArray[np.uint8]:
    return colours(seed, *shape).round().clip(0, 255).astype(np.uint8)


def rows(frames: NDArray[np.generic]) -> Floats:
    return frames.reshape(-1, 3).astype(np.float64)


@pytest.mark.parametrize("kind", MATCHES)
def test_frames_matched_to_themselves_stay(kind: str) -> None:
    floats, levels = colours(0, 4, 8, 8), pixels(0, 4, 8, 8)
    np.testing.assert_allclose(MATCHES[kind](floats, floats), floats, atol=1e-9)
    np.testing.assert_array_equal(MATCHES[kind](levels, levels), levels)


@pytest.mark.parametrize("kind", MATCHES)
def test_means_are_those_of_the_reference(kind: str) -> None:
    clip, image = colours(1, 5, 8, 8), colours(2, 10, 32)  # as many pixels, so that quantiles coincide
    np.testing.assert_allclose(rows(MATCHES[kind](clip, image)).mean(0), rows(image).mean(0))


def test_mean_std_makes_deviations_equal_and_leaves_correlations() -> None:
    clip, image = colours(1, 5, 8, 8), colours(2, 9, 7)
    matched = rows(mean_std(clip, image))
    np.testing.assert_allclose(matched.std(0), rows(image).std(0))
    np.testing.assert_allclose(np.corrcoef(matched.T), np.corrcoef(rows(clip).T))


def test_mkl_makes_the_covariance_equal_by_a_symmetric_map() -> None:
    clip, image = colours(1, 5, 8, 8), colours(2, 9, 7)
    matched, before = rows(mkl(clip, image)), rows(clip)
    np.testing.assert_allclose(np.cov(matched.T, bias=True), np.cov(rows(image).T, bias=True))
    through = np.linalg.lstsq(before - before.mean(0), matched - matched.mean(0), rcond=None)[0]
    np.testing.assert_allclose(through, through.T, atol=1e-9)  # the one of all such maps that moves colours least
    assert np.linalg.eigvalsh(through).min() > 0


def test_histogram_gives_the_reference_s_values_in_the_order_that_was() -> None:
    clip, image = colours(1, 5, 8, 8), colours(2, 10, 32)
    matched = rows(histogram(clip, image))
    for before, after, goal in zip(rows(clip).T, matched.T, rows(image).T, strict=True):
        np.testing.assert_allclose(np.sort(after), np.sort(goal))
        np.testing.assert_array_equal(after.argsort(), before.argsort())


@pytest.mark.parametrize("kind", MATCHES)
def test_a_clip_is_matched_as_one(kind: str) -> None:
    """What changes within it stays: the dark frame is darker than the bright one, after as before."""
    clip = np.stack([pixels(3, 8, 8) // 2, pixels(3, 8, 8)])
    dark, bright = MATCHES[kind](clip, pixels(4, 8, 8)).astype(float)
    assert dark.mean() < bright.mean() - 10


@pytest.mark.parametrize("kind", MATCHES)
def test_levels_come_back_as_levels(kind: str) -> None:
    clip = pixels(1, 5, 8, 8)
    matched = MATCHES[kind](clip, pixels(2, 8, 8))
    assert matched.dtype == np.uint8
    assert matched.shape == clip.shape
    assert MATCHES[kind](clip, np.full((8, 8, 3), 255, np.uint8)).min() == 255  # no level wraps around


@pytest.mark.parametrize("kind", MATCHES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_frames_without_colours_stay_finite(kind: str, dtype: type) -> None:
    flat, grey = np.full((2, 8, 8, 3), 90, dtype), np.repeat(pixels(5, 2, 8, 8)[..., :1], 3, axis=-1).astype(dtype)
    image = pixels(6, 8, 8)
    for frames, reference in ((flat, image), (grey, image), (grey, flat), (flat, flat)):
        matched = MATCHES[kind](frames, reference)
        assert np.isfinite(matched).all()
        assert 0 <= matched.min() <= matched.max() <= 255 or dtype == np.float32
    np.testing.assert_allclose(MATCHES[kind](flat, image)[0, 0, 0], MATCHES[kind](flat, image)[-1, -1, -1])


@pytest.mark.parametrize("kind", MATCHES)
def test_other_channels_are_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=r"received frames of shape \(8, 8, 4\)"):
        MATCHES[kind](np.zeros((8, 8, 4)), np.zeros((8, 8, 3)))
