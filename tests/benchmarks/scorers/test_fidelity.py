from dataclasses import replace

import numpy as np
import pytest

from benchmarks.arrays import Floats
from benchmarks.scorers.fidelity import FidelityScorer, psnr, ssim
from tests.benchmarks.conftest import World


def noisy_pair(shape: tuple[int, ...], seed: int = 0, spread: float = 0.15) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    target = random.random(shape)
    return np.clip(target + spread * random.normal(size=shape), 0, 1), target


def ssim_by_definition(x: Floats, y: Floats) -> float:
    """Wang et al. 2004 read literally: one channel, every window inside the image, a two-dimensional Gaussian."""
    offset = np.arange(11) - 5
    window = np.exp(-(offset[:, None] ** 2 + offset[None] ** 2) / (2 * 1.5**2))
    window /= window.sum()
    values = []
    for top in range(x.shape[0] - 10):
        for left in range(x.shape[1] - 10):
            a, b = x[top : top + 11, left : left + 11], y[top : top + 11, left : left + 11]
            mean_a, mean_b = (window * a).sum(), (window * b).sum()
            var_a, var_b = (window * (a - mean_a) ** 2).sum(), (window * (b - mean_b) ** 2).sum()
            cov = (window * (a - mean_a) * (b - mean_b)).sum()
            numerator = (2 * mean_a * mean_b + 0.01**2) * (2 * cov + 0.03**2)
            values.append(numerator / ((mean_a**2 + mean_b**2 + 0.01**2) * (var_a + var_b + 0.03**2)))
    return np.mean(values)


@pytest.mark.parametrize("size", [(11, 11), (16, 16), (13, 20)])
def test_ssim_equals_its_definition(size: tuple[int, int]) -> None:
    frames, target = noisy_pair((2, *size, 3))
    channels = [[ssim_by_definition(frames[i, ..., c], target[i, ..., c]) for c in range(3)] for i in range(2)]
    assert ssim(frames, target) == pytest.approx(np.mean(channels, axis=1), abs=1e-12)


def test_ssim_of_the_same_frames_is_one_and_of_small_frames_undefined() -> None:
    frames, _ = noisy_pair((3, 16, 16, 3))
    assert ssim(frames, frames) == pytest.approx([1, 1, 1], abs=1e-12)
    assert np.isnan(ssim(frames[:, :10], frames[:, :10])).all()


def test_psnr_of_a_known_error() -> None:
    target = np.full((2, 4, 4, 3), 0.5)
    assert psnr(target + np.array([0.1, 0.01])[:, None, None, None], target) == pytest.approx([20, 40])
    assert psnr(target + 0.99e-5, target).tolist() == [100, 100]
    assert psnr(target + 1.1e-5, target) == pytest.approx([99.172] * 2, abs=1e-3)


def test_scores_are_means_over_the_frames_of_a_clip(world: World) -> None:
    continuation = world.frames([(8.0, 8.0)] * 9)
    frames = continuation.copy()
    frames[4:6] ^= 1
    frames[8] ^= 3
    film = replace(world.film(frames), continuation=continuation)
    scores = FidelityScorer().score(film)
    x, y = frames / 255, continuation / 255
    assert scores["psnr"] == pytest.approx([100, psnr(x[4:], y[4:]).mean()])
    assert scores["ssim"] == pytest.approx([1, ssim(x[4:], y[4:]).mean()])
    assert scores["psnr"][1] < 80


def test_a_missing_continuation_is_refused(world: World) -> None:
    with pytest.raises(ValueError, match="continuation: received none"):
        FidelityScorer().score(world.film(world.frames([(8.0, 8.0)] * 5)))
