"""The forecast from one clip: the recursion it stands for, its intervals, and how ranks agree."""

import numpy as np
import pandas as pd
import pytest

from reports.statistics.forecast import errors, forecast, late_by_film, rank_correlation


def test_the_error_is_the_recursions() -> None:
    error, expected = 0.0, []
    for _ in range(30):
        error = 0.8 * error + 0.05
        expected.append(error)
    np.testing.assert_allclose(errors(np.array([0.8]), np.array([0.05]), 30)[0], expected)


def test_plateau_and_time_constant() -> None:
    found = forecast(np.full(8, 0.8), np.full(8, 0.05), 200)
    assert found.plateau == pytest.approx((0.25, 0.25, 0.25))
    assert found.time_constant == pytest.approx((5, 5, 5))
    assert found.late.value == pytest.approx(0.25)
    assert forecast(np.full(8, 0.8), np.full(8, 0.05), 5).late.value < 0.25  # not there yet


def test_a_gain_of_one_never_settles_but_has_an_error_at_the_end() -> None:
    found = forecast(np.ones(8), np.full(8, 0.1), 50)
    assert np.isinf(found.plateau).all()
    assert np.isinf(found.time_constant).all()
    assert forecast(np.ones(6), np.zeros(6), clips=100).plateau == (0, 0, 0)  # nothing new to settle
    assert found.late.value == pytest.approx(0.1 * np.arange(41, 51).mean())


@pytest.mark.parametrize("films", [6, pytest.param(16, marks=pytest.mark.slow)])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(films: int) -> None:
    random, hits = np.random.default_rng(0), 0
    for _ in range(200):
        found = forecast(random.normal(0.6, 0.1, films), random.normal(0.1, 0.02, films), 40)
        hits += found.gain.low <= 0.6 <= found.gain.high
    assert 0.9 <= hits / 200 <= 0.99


def test_the_interval_knows_that_films_of_one_training_are_alike() -> None:
    random, hits = np.random.default_rng(0), 0
    for _ in range(200):
        gain = 0.6 + random.normal(0, 0.1, (3, 1)) + random.normal(0, 0.1, 16)
        found = forecast(gain, np.full((3, 16), 0.1), 40)
        hits += found.gain.low <= 0.6 <= found.gain.high
    assert hits / 200 >= 0.8  # three trainings are few; as 48 films of their own they would make it .31


def test_few_films_have_no_interval_and_undefined_ones_count_nowhere() -> None:
    found = forecast(np.array([0.5, np.nan, 0.5]), np.array([0.1, 0.1, 0.1]), 10)
    assert found.plateau.value == pytest.approx(0.2)
    assert found.films == 2
    assert np.isnan([found.plateau.low, found.plateau.high]).all()


@pytest.mark.parametrize(("gain", "eps"), [([], []), ([np.nan], [0.1]), ([0.5], [np.inf])])
def test_what_is_no_measurement_is_refused(gain: list[float], eps: list[float]) -> None:
    with pytest.raises(ValueError, match="no film with a finite gain and eps"):
        forecast(np.array(gain), np.array(eps), 10)


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a number each a film"):
        forecast(np.array([0.5]), np.array([0.1, 0.2]), 10)


def test_rank_correlation_is_spearmans() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=30)
    y = x + random.normal(size=30)
    found = rank_correlation(x, y)
    assert found.value == pytest.approx(pd.Series(x).corr(pd.Series(y), method="spearman"))
    assert found.low < found.value < found.high
    assert rank_correlation(x, np.exp(x)) == pytest.approx((1, 1, 1))
    assert np.isnan(rank_correlation(x[:4], y[:4]).low)


def test_the_late_error_is_shared_out_among_films() -> None:
    random = np.random.default_rng(0)
    gain, eps = random.normal(0.5, 0.05, (2, 40)), random.normal(0.1, 0.005, (2, 40))
    shared = late_by_film(gain, eps, 100)
    for seed in range(2):
        assert shared[seed].mean() == pytest.approx(np.log(forecast(gain[seed], eps[seed], 100).late.value), abs=0.01)
    found = forecast(gain[0], eps[0], 100).late
    spread = shared[0].std(ddof=1) / np.sqrt(40)
    assert np.log(found.high / found.low) / 2 == pytest.approx(2.02 * spread, rel=0.15)  # as drawing films anew says
    holes = np.where(np.arange(40) == 3, np.nan, gain)
    assert np.isnan(late_by_film(holes, eps, 100)).sum() == 2
