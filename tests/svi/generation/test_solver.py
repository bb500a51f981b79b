"""Noise levels and arithmetic of the solvers."""

from itertools import pairwise

import pytest
import torch

from svi.generation.solver import solver
from svi.settings import GenerateSettings


def test_euler_has_the_inference_sigmas() -> None:
    """50 steps, shift 5: from 1 to .0926, then 0."""
    scheduler = solver(GenerateSettings(steps=50, shift=5.0))
    sigmas = scheduler.sigmas
    assert sigmas.shape == (51,)
    assert (sigmas[0], sigmas[-1]) == (1.0, 0.0)
    assert float(sigmas[-2]) == pytest.approx(5 * 0.02 / 1.08, abs=1e-7)
    assert torch.equal(scheduler.timesteps, 1000 * sigmas[:-1])


def test_unipc_has_flow_sigmas_of_the_shift() -> None:
    scheduler = solver(GenerateSettings(steps=50, shift=5.0, solver="unipc"))
    assert float(scheduler.sigmas[25]) == pytest.approx(5 * 0.5005 / (1 + 4 * 0.5005), abs=1e-4)
    assert float(scheduler.sigmas[-1]) == 0
    assert len(scheduler.timesteps) == 50


@pytest.mark.parametrize("name", ["euler", "unipc"])
@pytest.mark.parametrize("steps", [1, 4, 50])
def test_a_straight_path_is_followed_exactly(name: str, steps: int) -> None:
    """With the velocity of the straight line from noise to data either solver arrives at the data."""
    generator = torch.Generator().manual_seed(0)
    noise, data = (torch.randn(2, 3, 4, generator=generator) for _ in range(2))
    scheduler = solver(GenerateSettings(steps=steps, solver=name))
    x = noise
    for timestep in scheduler.timesteps:
        x = scheduler.step(noise - data, timestep, x, return_dict=False)[0]
    torch.testing.assert_close(x, data, atol=1e-4, rtol=0)


def test_every_clip_has_a_scheduler_of_its_own() -> None:
    settings = GenerateSettings(steps=3, solver="unipc")
    first = solver(settings)
    first.step(torch.ones(1), first.timesteps[0], torch.zeros(1))
    assert solver(settings).step_index is None
    assert solver(settings).model_outputs == [None, None]


def test_renoising_estimates_the_clip_and_noises_it_anew() -> None:
    """A model that knows the data arrives there, over noise that differs at every level and has that level's size."""
    noise, data = torch.randn(2, 8, 16, 16, 16, generator=torch.Generator().manual_seed(0)).unbind()
    scheduler, x = solver(GenerateSettings(steps=4, shift=5.0, solver="renoise")), noise[None]
    seen = [x]
    for timestep in scheduler.timesteps:
        sigma = timestep / 1000
        x = scheduler.step((x - data) / sigma, timestep, x)[0]
        seen.append(x)
    torch.testing.assert_close(x[0], data)
    levels = [*(t / 1000 for t in scheduler.timesteps), 0.0]
    assert levels == pytest.approx([1, 15 / 16, 5 / 6, 5 / 8, 0])
    added = [(x[0] - (1 - sigma) * data) / sigma for x, sigma in zip(seen, levels[:-1], strict=False)]
    for one, other in pairwise(added):
        assert float(other.std()) == pytest.approx(1, abs=0.02)
        assert abs(float(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1])) < 0.02


def test_renoising_gives_each_film_noise_of_its_own() -> None:
    """The same beside others and alone, and at every try."""
    noise = torch.randn(3, 8, 4, 4)

    def made(rows: torch.Tensor) -> torch.Tensor:
        scheduler, x = solver(GenerateSettings(steps=3, solver="renoise")), rows
        for timestep in scheduler.timesteps:
            x = scheduler.step(x.sin(), timestep, x)[0]
        return x

    together = made(noise)
    assert torch.equal(torch.cat([made(noise[i : i + 1]) for i in range(3)]), together)
    assert torch.equal(made(noise.flip(0)), together.flip(0))
