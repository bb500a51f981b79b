"""Helios-style corruption: what each kind does to a condition, how often each is drawn, and how far it goes."""

import pytest
import torch
from torch import Tensor

from svi.method.corruption import corrupted, noised, resampled, saturated


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def latent(side: int = 20) -> Tensor:
    """Whose channels have means of their own. [4, 3, side, side]"""
    return torch.randn(4, 3, side, side, generator=generator(1)) + torch.arange(4.0).reshape(4, 1, 1, 1)


def rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


def test_noise_takes_a_share_of_at_most_a_third() -> None:
    shares = []
    for seed in range(200):
        y = noised(torch.full((4, 3, 20, 20), 5.0), generator(seed))
        share = 1 - float(y.mean()) / 5
        assert float(y.std()) == pytest.approx(share, abs=0.02)  # (1 - s) y + s n, of flat y
        shares.append(share)
    assert -0.01 < min(shares) < 0.02
    assert max(shares) == pytest.approx(1 / 3, abs=0.02)
    assert sum(shares) / 200 == pytest.approx(1 / 6, abs=0.02)


def test_resampling_loses_detail_and_adds_none() -> None:
    y = latent()
    for seed in range(10):
        less = resampled(y, generator(seed))
        assert less.shape == y.shape
        assert rms(less.diff(dim=3)) <= rms(y.diff(dim=3)) + 1e-6
    assert rms(resampled(y, generator(0)) - y) > 0.05
    torch.testing.assert_close(resampled(torch.full_like(y, 2.0), generator()), torch.full_like(y, 2.0))


def test_resampling_is_to_whole_latent_pixels_so_that_small_latents_stay() -> None:
    for side, changes in ((4, False), (5, False), (6, True), (20, True)):
        y = latent(side)
        differ = [not torch.allclose(resampled(y, generator(seed)), y) for seed in range(40)]
        assert any(differ) == changes, side


def test_saturation_scales_about_the_mean_over_channels() -> None:
    y, factors = latent(), []
    for seed in range(400):
        after = saturated(y, generator(seed))
        torch.testing.assert_close(after.mean(0), y.mean(0))
        ratio = (after - y.mean(0)) / (y - y.mean(0))
        factors.append(float(ratio.median()))
        torch.testing.assert_close(ratio, torch.full_like(ratio, factors[-1]), rtol=1e-2, atol=1e-2)
    less = [factor for factor in factors if factor < 1]
    assert len(less) == pytest.approx(200, abs=40)
    assert min(less) == pytest.approx(0.3, abs=0.02)
    assert max(factors) == pytest.approx(1.7, abs=0.02)


def test_each_stage_is_left_out_one_time_in_ten() -> None:
    """Noise, resampling and saturation are told apart by a flat condition, a mean over channels, and what neither changes."""
    y, n = latent(), 1500
    drawn = [corrupted(y, generator(seed)) - y for seed in range(n)]
    untouched = sum(rms(change) < 1e-6 for change in drawn)
    only_saturated = sum(rms(change.mean(0)) < 1e-6 < rms(change) for change in drawn)
    assert untouched / n == pytest.approx(0.1 * 0.1, abs=0.01)
    assert only_saturated / n == pytest.approx(0.1 * 0.9, abs=0.025)
    flat = torch.full((4, 3, 20, 20), 5.0)  # which only noise changes
    noisy = sum(rms(corrupted(flat, generator(seed)) - flat) > 1e-4 for seed in range(n))
    assert noisy / n == pytest.approx(0.9 * 0.9, abs=0.04)


def test_the_same_generator_makes_the_same_condition() -> None:
    assert torch.equal(corrupted(latent(), generator(7)), corrupted(latent(), generator(7)))
