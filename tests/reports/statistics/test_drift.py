"""The statistics of curves against numbers computed by hand, and against plain loops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stn

from reports.statistics.bootstrap import Floats
from reports.statistics.drift import SEGMENTS, curve_statistics, slope, video_drift_error

SCORES = st.floats(0.1, 100).map(lambda value: round(value, 3))
CURVES = st.integers(2, 40).flatmap(lambda clips: stn.arrays(np.float64, (3, clips), elements=SCORES))


def lengths(curves: Floats) -> np.ndarray:
    """Every film as long as the curves are."""
    return np.full(len(curves), curves.shape[1])


def drift_error(curve: list[float]) -> float:
    """Of one film."""
    return float(video_drift_error(np.array([curve]), np.array([len(curve)]))[0])


def test_the_drift_error_weights_early_segments_most() -> None:
    # (4 - 2 + 1) |1 - 2| / 2 + (4 - 3 + 1) |3 - 2| / 2 + (4 - 4 + 1) |2 - 2| / 2
    assert drift_error([2, 1, 3, 2]) == 3 * 0.5 + 2 * 0.5 + 1 * 0


def test_the_drift_error_has_ten_segments_of_whole_clips() -> None:
    curve = [10.0, 10.0] + [9.0, 7.0] * 9  # the first of ten segments is 10, all others 8
    assert drift_error(curve) == pytest.approx(0.2 * sum(range(1, 10)))
    uneven = [1.0] * 2 + [2.0] * 9  # eleven clips: the first segment has two
    assert drift_error(uneven) == pytest.approx(sum(range(1, 10)))


def test_a_drift_error_without_a_start_to_compare_with_is_undefined() -> None:
    for curve in ([0.0, 1.0], [math.nan, 1.0], [1.0], [1.0, math.nan]):
        assert math.isnan(drift_error(curve)), curve


def test_an_undefined_segment_counts_as_the_weighted_mean_of_the_others() -> None:
    assert drift_error([1.0, 2.0, math.nan, 2.0]) == pytest.approx(3 + 2 + 1)
    assert drift_error([1.0, 2.0, math.nan, 1.0]) == pytest.approx((3 * 1 + 1 * 0) / 4 * 6)


def test_a_negative_start_is_taken_without_its_sign() -> None:
    assert drift_error([-2.0, -1.0]) == 0.5


@given(CURVES)
def test_the_drift_error_is_the_formula_of_its_docstring(curves: Floats) -> None:
    count = curves.shape[1]
    segments = min(count, SEGMENTS)
    for curve, found in zip(curves, video_drift_error(curves, lengths(curves)), strict=True):
        of = [[] for _ in range(segments)]
        for clip, value in enumerate(curve):
            of[clip * segments // count].append(value)
        means = [sum(values) / len(values) for values in of]
        terms = [(segments - i + 1) * abs(means[i - 1] - means[0]) / abs(means[0]) for i in range(2, segments + 1)]
        assert found == pytest.approx(sum(terms))


@given(CURVES, st.floats(0.5, 20))
def test_the_drift_error_is_relative_to_the_metric(curves: Floats, factor: float) -> None:
    whole = video_drift_error(curves, lengths(curves))
    np.testing.assert_allclose(video_drift_error(curves * factor, lengths(curves)), whole, rtol=1e-9, atol=1e-9)


@given(CURVES, st.floats(0.1, 10))
def test_the_slope_is_that_of_least_squares_a_minute(curves: Floats, clip_seconds: float) -> None:
    minutes = np.arange(curves.shape[1]) * clip_seconds / 60
    expected = [np.polyfit(minutes, curve, 1)[0] for curve in curves]
    np.testing.assert_allclose(slope(curves, clip_seconds), expected, rtol=1e-6, atol=1e-6 * 60 / clip_seconds)


def test_the_slope_of_a_line_with_holes_is_the_line_s() -> None:
    line = np.array([[5.0, np.nan, 3.0, 2.0], [np.nan, 1.0, np.nan, np.nan], [1.0, np.nan, np.nan, np.nan]])
    found = slope(line, clip_seconds=5.0)
    assert found[0] == pytest.approx(-12.0)  # one less every 5 s
    assert np.isnan(found[1:]).all()


def test_a_shorter_film_is_read_to_its_own_end() -> None:
    curves = np.array([[4.0, 3.0, 2.0, 1.0], [4.0, 2.0, np.nan, np.nan]])
    found = curve_statistics(curves, np.array([4, 2]), clip_seconds=60.0)
    np.testing.assert_allclose(found["late"], [1, 2])
    np.testing.assert_allclose(found["drop"], [3, 2])
    np.testing.assert_allclose(found["contrast"], [3, 2])
    np.testing.assert_allclose(found["slope"], [-1, -2])
    np.testing.assert_allclose(found["vde"], [3 * 0.25 + 2 * 0.5 + 1 * 0.75, 0.5])


@given(CURVES)
def test_a_flat_curve_has_no_drift(curves: Floats) -> None:
    flat = np.repeat(curves[:, :1], curves.shape[1], axis=1)
    found = curve_statistics(flat, lengths(flat), clip_seconds=1.0)
    for statistic in ("drop", "contrast", "vde", "slope"):
        np.testing.assert_allclose(found[statistic], 0, atol=1e-9)
