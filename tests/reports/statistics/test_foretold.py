"""What first clips foretell of the late ones, and how far such forecasts miss."""

import numpy as np
import pytest

from reports.statistics.foretold import chance, foretold, missed

CLIPS = 100


def recursion(gain: float, share: float, clips: int = CLIPS) -> np.ndarray:
    """PSNR of one film whose errors grow as the forecast says, times a share between squares (.5) and straight sums (1)."""
    grown = np.cumsum(gain ** np.arange(clips))
    return 33 - share * 20 * np.log10(grown)[None, None]


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("gain", [0.2, 0.9, 1.0])
def test_the_rule_finds_the_end_of_its_own_recursion_however_errors_add_up(gain: float, share: float) -> None:
    curve = recursion(gain, share)
    found = foretold(curve[:, :, :12], np.full((1, 16), gain), CLIPS)
    assert found.value == pytest.approx(curve[..., -20:].mean(), abs=1e-9)
    assert np.isnan(found.low)


def test_seeds_are_foretold_each_by_its_own_gain() -> None:
    curves = np.concatenate([recursion(0.9, 0.7), recursion(0.2, 0.7), np.full((1, 1, CLIPS), np.nan)])
    gains = np.array([[0.9], [0.2], [0.5]])
    assert foretold(curves[:, :, :12], gains, CLIPS).value == pytest.approx(curves[:2, :, -20:].mean())
    with pytest.raises(ValueError, match="expected one at least"):
        foretold(curves[2:], gains[2:], CLIPS)


def test_a_model_that_forgets_its_past_ends_where_its_first_clips_do() -> None:
    curve = np.concatenate([np.array([34.0]), np.full(11, 33.0)])[None, None]
    assert foretold(curve, np.array([[-0.01]]), CLIPS).value == pytest.approx(33.0, abs=0.01)


def test_nine_intervals_in_ten_hold_what_misses_alike_and_the_middle_is_the_typical_miss() -> None:
    random = np.random.default_rng(0)
    curve, held, middle = recursion(0.5, 0.7), 0, []
    for _ in range(400):
        misses = random.normal(-2, 1.5, 61)
        found = foretold(curve[:, :, :12], np.array([[0.5]]), CLIPS, misses[1:])
        end = curve[..., -20:].mean() + misses[0]
        held += found.low <= end <= found.high
        middle.append(found.value - end)
    assert 0.87 < held / 400 < 0.93
    assert abs(np.mean(middle)) < 0.25


def test_a_miss_is_what_was_measured_less_what_the_rule_said() -> None:
    curve = recursion(0.9, 0.7)
    assert missed(curve[..., -20:].mean() - 1.5, curve[:, :, :12], np.array([[0.9]]), CLIPS) == pytest.approx(-1.5)


def test_the_chance_of_a_difference_is_how_often_two_misses_lie_so_far_apart() -> None:
    misses = np.random.default_rng(1).normal(0, 1, 80)
    assert chance(0.0, misses) == 1
    assert chance(2.77, misses) == pytest.approx(0.05, abs=0.03)
    assert chance(-2.77, misses) == chance(2.77, misses)
    assert np.isnan(chance(1.0, misses[:1]))
