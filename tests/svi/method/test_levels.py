"""The order in which frames are denoised, and the steps along it."""

import pytest
import torch
from torch import Tensor

from svi.method.flow import inference_sigmas
from svi.method.levels import descended, pyramid

SIGMAS = [*inference_sigmas(8, 3.0).tolist(), 0.0]
DATA = torch.randn(2, 3, 4, 2, 2, generator=torch.Generator().manual_seed(0))


def to_data(level: Tensor, x: Tensor) -> Tensor:
    """The exact velocity where DATA is all that there is: X_vid - X_noi from whatever noise x has. Undefined where it has none."""
    return (DATA - x) / level.clamp_min(1e-9).float()[:, None, None]


@pytest.mark.parametrize("stagger", [0.0, 0.7, 1.0, 2.5, 8.0, 20.0])
def test_every_frame_takes_every_step_once_and_in_order(stagger: float) -> None:
    levels = pyramid(SIGMAS, 4, stagger)
    for frame in levels.T:
        assert frame.unique_consecutive().tolist() == SIGMAS
    assert (levels.diff(dim=1) >= 0).all()  # a later frame is never ahead


def test_without_stagger_all_frames_stay_together() -> None:
    assert pyramid(SIGMAS, 4).tolist() == [[sigma] * 4 for sigma in SIGMAS]


def test_a_stagger_of_all_steps_is_one_frame_after_another() -> None:
    levels = pyramid(SIGMAS, 3, 8.0)
    assert levels.tolist() == [
        *([sigma, 1.0, 1.0] for sigma in SIGMAS),
        *([0.0, sigma, 1.0] for sigma in SIGMAS[1:]),
        *([0.0, 0.0, sigma] for sigma in SIGMAS[1:]),
    ]


@pytest.mark.parametrize("stagger", [0.0, 0.7, 3.0])
def test_from_any_pattern_of_noise_the_exact_velocity_leads_to_the_data(stagger: float) -> None:
    """From where each frame happens to be, so also from the middle of a pyramid and from random levels."""
    noise = torch.randn(DATA.shape, generator=torch.Generator().manual_seed(1))
    levels = pyramid(SIGMAS, 4, stagger)
    somewhere = torch.rand(4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    for order in (levels, levels[5:], levels[-3:], torch.stack([somewhere, somewhere / 3, somewhere * 0])):
        start = order[0].float()[:, None, None]
        found = descended((1 - start) * DATA + start * noise, order, to_data)
        torch.testing.assert_close(found, DATA, atol=1e-5, rtol=0)


def test_frames_without_noise_stay_whatever_the_velocity_says() -> None:
    levels = torch.stack([torch.zeros(4), torch.zeros(4)]).double()
    assert torch.equal(descended(DATA, levels, lambda level, x: 1e6 * torch.ones_like(x)), DATA)
