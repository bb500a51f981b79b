"""Timesteps, slots and weights against the figures of the sources."""

import pytest
import torch

from svi.method import flow


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


def test_all_noise_levels_draw_what_the_table_says() -> None:
    generator, twin = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    for _ in range(50):
        index = int(torch.randint(1000, (), generator=twin))
        u = torch.tensor(1 - index / 1000, dtype=torch.float64)
        assert flow.draw_t("shifted", 5.0, generator) == (1 - 5 * u / (1 + 4 * u)).float()
        assert flow.draw_t("uniform", 5.0, generator) == torch.rand((), generator=twin)


@pytest.mark.parametrize("sampling", ["shifted", "uniform"])
@pytest.mark.parametrize("span", [(0.9, 1.1), (0.0, 0.9)])
def test_a_span_is_covered_and_kept(sampling: str, span: tuple[float, float]) -> None:
    generator = torch.Generator().manual_seed(0)
    sigma = 1 - torch.stack([flow.draw_t(sampling, 5.0, generator, span) for _ in range(2000)])
    low, high = span[0], min(span[1], 1.0)
    assert float(sigma.min()) == pytest.approx(low, abs=0.01)
    assert float(sigma.max()) == pytest.approx(high, abs=0.01)
    assert ((sigma >= low - 1e-6) & (sigma < span[1])).all()
    if sampling == "shifted":  # as many entries of the table on either side of the middle
        table = flow.training_sigmas(5.0)
        within = table[(table >= span[0]) & (table < span[1])]
        assert float((sigma > within.median()).float().mean()) == pytest.approx(0.5, abs=0.04)


def test_a_span_without_timesteps_is_refused() -> None:
    with pytest.raises(ValueError, match=r"nothing to learn; set another backbone\.boundary"):
        flow.draw_t("shifted", 5.0, torch.Generator(), (0.99999, 0.999995))
