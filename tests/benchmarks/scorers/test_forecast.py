from dataclasses import replace

import numpy as np
import pytest

from benchmarks.films.film import Film, Probe
from benchmarks.scorers.forecast import ForecastScorer, strength
from tests.benchmarks.conftest import World


def film_with(probe: Probe | None) -> Film:
    return Film(np.zeros((1, 4, 4, 3), np.uint8), 8, (slice(0, 1),), probe=probe)


def probe_of(gain: float, eps: float, side: float = 0.0) -> Probe:
    """A backbone that copies `gain` of the perturbation, adds `eps` to a clean condition, and something orthogonal."""
    random = np.random.default_rng(0)
    condition, perturbation, other = random.normal(size=(3, 8, 4, 4))
    other -= (other * perturbation).sum() / (perturbation**2).sum() * perturbation
    clean = condition + eps * random.choice([-1, 1], condition.shape)
    return Probe(condition, perturbation, clean, clean + gain * perturbation + side * other)


@pytest.mark.parametrize(("gain", "eps", "side"), [(0.951, 0.046, 0), (0.191, 0.149, 0.5), (0, 0.1, 0), (-0.2, 0.1, 0)])
def test_a_known_backbone_is_recovered(gain: float, eps: float, side: float) -> None:
    scores = ForecastScorer().score(film_with(probe_of(gain, eps, side)))
    assert scores == pytest.approx({"gain": gain, "eps": eps, "forecast_plateau": eps / (1 - gain)})


def test_the_forecast_is_where_the_recursion_ends() -> None:
    scores = ForecastScorer().score(film_with(probe_of(0.8, 0.05)))
    error = 0.0
    for _ in range(100):
        error = scores["gain"] * error + scores["eps"]
    assert error == pytest.approx(scores["forecast_plateau"])


@pytest.mark.parametrize("gain", [1.0001, 1.5])
def test_an_error_that_grows_has_no_plateau(gain: float) -> None:
    scores = ForecastScorer().score(film_with(probe_of(gain, 0.1)))
    assert scores["gain"] == pytest.approx(gain)
    assert np.isnan(scores["forecast_plateau"])


def test_no_perturbation_leaves_only_eps() -> None:
    probe = probe_of(0.5, 0.1)
    scores = ForecastScorer().score(film_with(replace(probe, perturbation=np.zeros_like(probe.perturbation))))
    assert np.isnan([scores["gain"], scores["forecast_plateau"]]).all()
    assert scores["eps"] == pytest.approx(0.1)


def test_a_missing_or_misfit_probe_is_refused() -> None:
    with pytest.raises(ValueError, match="probe: received none"):
        ForecastScorer().score(film_with(None))
    with pytest.raises(ValueError, match="four equal shapes"):
        ForecastScorer().score(film_with(replace(probe_of(0, 0), perturbation=np.zeros((8, 4)))))


@pytest.mark.parametrize("left", [1.0, 0.7, 0.3])
def test_a_fainter_object_is_as_strong_as_what_is_left_of_it(world: World, left: float) -> None:
    film = world.film(world.frames([(5.0, 6.0), (6.0, 8.0)], strength=left))
    assert strength(film) == pytest.approx([left, left], abs=0.02)


def test_where_nothing_of_an_object_is_left_it_has_no_strength(world: World) -> None:
    film = world.film(np.repeat(world.background[None], 2, axis=0))
    assert strength(film) == pytest.approx([0, 0], abs=0.01)
