import numpy as np
import pytest

from reports.forecast import errors, forecast


def test_the_error_is_the_recursions() -> None:
    error, expected = 0.0, []
    for _ in range(30):
        error = 0.8 * error + 0.05
        expected.append(error)
    np.testing.assert_allclose(errors(np.array([0.8]), np.array([0.05]), 30)[0], expected)


def test_plateau_and_time_constant() -> None:
    found = forecast(np.full(4, 0.8), np.full(4, 0.05), 200)
    assert found.plateau == pytest.approx((0.25, 0.25, 0.25))
    assert found.time_constant == pytest.approx((5, 5, 5))
    assert found.late.value == pytest.approx(0.25)
    assert forecast(np.full(4, 0.8), np.full(4, 0.05), 5).late.value < 0.25  # not there yet


def test_a_gain_of_one_never_settles_but_has_an_error_at_the_end() -> None:
    found = forecast(np.array([1.0, 1.0]), np.array([0.1, 0.1]), 50)
    assert np.isinf(found.plateau).all()
    assert np.isinf(found.time_constant).all()
    assert found.late.value == pytest.approx(0.1 * np.arange(41, 51).mean())


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    random, hits = np.random.default_rng(0), 0
    for _ in range(200):
        found = forecast(random.normal(0.6, 0.1, 24), random.normal(0.1, 0.02, 24), 40)
        hits += found.plateau.low <= 0.25 <= found.plateau.high
    assert 0.88 <= hits / 200 <= 0.98


def test_one_film_has_no_interval() -> None:
    found = forecast(np.array([0.5]), np.array([0.1]), 10)
    assert found.plateau.value == pytest.approx(0.2)
    assert np.isnan([found.plateau.low, found.plateau.high]).all()


@pytest.mark.parametrize(
    ("gain", "eps"), [([], []), ([0.5, np.nan], [0.1, 0.1]), ([0.5], [0.1, 0.2]), ([0.5, 0.5], [np.inf, 0.1])]
)
def test_what_is_no_measurement_is_refused(gain: list[float], eps: list[float]) -> None:
    with pytest.raises(ValueError, match="expected a finite number each a film"):
        forecast(np.array(gain), np.array(eps), 10)
