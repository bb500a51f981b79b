"""Timesteps, slots and weights against the figures of the sources."""

import pytest
import torch

from svi import flow


def test_shift_five() -> None:
    u = torch.linspace(0, 1, 11)
    torch.testing.assert_close(flow.shifted(u, 5.0), 5 * u / (1 + 4 * u))


def test_inference_timesteps_fall_from_one_and_end_where_the_authors_do() -> None:
    sigmas = flow.inference_sigmas(50, 5.0)
    assert sigmas[0] == 1
    assert float(sigmas[-1]) == pytest.approx(0.0926, abs=1e-4)
    assert (sigmas.diff() < 0).all()


def test_bell_weight_has_the_authors_figures() -> None:
    sigma = torch.tensor([1.0, 0.5, 0.005])
    weight = flow.bell(sigma, 5.0)
    assert float(weight[0]) == pytest.approx(0.0, abs=1e-6)
    assert float(weight[1]) == pytest.approx(2.08, abs=0.01)
    assert 0 < float(weight[2]) < 0.05
    assert float(flow.bell(flow.training_sigmas(5.0), 5.0).mean()) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("grid", ["inference", "linear"])
def test_nearest_slot(grid: str) -> None:
    times = flow.slot_times(50, 5.0, grid)
    assert flow.nearest_slot(times, times).tolist() == list(range(50))
    t = torch.rand(200, generator=torch.Generator().manual_seed(0))
    chosen = times[flow.nearest_slot(t, times)]
    assert ((chosen - t).abs() <= (times[None] - t[:, None]).abs().amin(1)).all()


def test_shifted_sampling_prefers_noise() -> None:
    generator = torch.Generator().manual_seed(0)
    uniform = torch.stack([flow.draw_t("uniform", 5.0, generator) for _ in range(2000)])
    shifted = torch.stack([flow.draw_t("shifted", 5.0, generator) for _ in range(2000)])
    assert float(uniform.mean()) == pytest.approx(0.5, abs=0.03)
    # E[1 - 5u / (1 + 4u)] = 1 - 5/4 + 5/16 ln 5
    assert float(shifted.mean()) == pytest.approx(-0.25 + 5 / 16 * 1.6094, abs=0.02)
