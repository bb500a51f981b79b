"""Errors made by hand: what each kind does to a latent, and how large it is."""

import pytest
import torch
from torch import Tensor

from svi.method.handcrafted import KINDS, blur, colour, contrast, handcrafted, noise


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def latent(seed: int = 1) -> Tensor:
    return torch.randn(4, 5, 12, 10, generator=generator(seed)) + torch.arange(4.0).reshape(4, 1, 1, 1)


def rms(x: Tensor) -> float:
    return float(x.square().mean().sqrt())


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_the_level_asked_for(kind: str) -> None:
    for seed in range(5):
        error = KINDS[kind](latent(), 0.3, generator(seed))
        assert error.shape == latent().shape
        assert rms(error) == pytest.approx(0.3, rel=0.06)


def test_noise_is_independent_everywhere() -> None:
    error = noise(latent(), 0.5, generator())
    assert float((error[:, 1:] * error[:, :-1]).mean()) == pytest.approx(0, abs=0.02)


def test_a_blur_smooths_keeps_the_mean_and_never_sharpens() -> None:
    x = latent()
    blurred = x + blur(x, 10.0, generator())  # more than any blur: all of it
    assert rms(blurred.diff(dim=3)) < 0.7 * rms(x.diff(dim=3))
    assert float(blurred.mean()) == pytest.approx(float(x.mean()), abs=0.05)
    flat = torch.full_like(x, 2.5)
    assert rms(blur(flat, 0.3, generator())) < 1e-6
    part = x + blur(x, 0.2, generator())
    assert rms(blurred.diff(dim=3)) < rms(part.diff(dim=3)) < rms(x.diff(dim=3))


def test_a_colour_is_one_offset_a_channel() -> None:
    error = colour(latent(), 0.3, generator())
    assert (error == error[:, :1, :1, :1]).all()
    assert len(set(error[:, 0, 0, 0].tolist())) == 4


def test_contrast_scales_about_the_mean_and_does_not_turn_it_over() -> None:
    x, signs = latent(), set()
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    for seed in range(8):
        changed = x + contrast(x, 0.3, generator(seed))
        ratio = (changed - mean) / (x - mean)
        torch.testing.assert_close(ratio, ratio.flatten()[0].expand_as(ratio), rtol=1e-3, atol=1e-3)
        signs.add(float(ratio.flatten()[0]) > 1)
        assert float((x + contrast(x, 9.0, generator(seed)) - mean).mul(x - mean).min()) > -1e-5
    assert signs == {True, False}


def test_any_kind_is_drawn_at_any_level_up_to_twice_the_strength() -> None:
    drawn = [handcrafted(latent(), 0.35, generator(seed)) for seed in range(300)]
    sizes = torch.tensor([rms(error) for error in drawn])
    assert float(sizes.mean()) == pytest.approx(0.35, abs=0.03)
    assert float(sizes.max()) < 0.75
    flat = sum(bool((error == error[:, :1, :1, :1]).all()) for error in drawn)
    assert flat == pytest.approx(75, abs=25)


def test_the_same_generator_makes_the_same_error() -> None:
    assert torch.equal(handcrafted(latent(), 0.35, generator(7)), handcrafted(latent(), 0.35, generator(7)))


def test_a_flat_latent_has_finite_errors() -> None:
    for kind in KINDS.values():
        assert kind(torch.zeros(4, 2, 3, 3), 0.3, generator()).isfinite().all()
