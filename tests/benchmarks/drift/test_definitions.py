"""Each definition beside its owner's arithmetic, written out here film by film on plain lists."""

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
import pytest

from benchmarks.arrays import Floats
from benchmarks.drift.course import Course
from benchmarks.drift.definitions import NUMBERS, framepack15, rolling5s, segments, svi_length, vde

SAME = 1e-6


def falling(frames: int, films: int = 3, seed: int = 0) -> Floats:
    """[S, F]: scores of about .7 that fall to about .5, with noise."""
    noise = np.random.default_rng(seed).normal(0, 0.03, (films, frames))
    return np.linspace(0.7, 0.5, frames) + noise


def mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)


@pytest.mark.parametrize("frames", [1, 5, 33, 81, 100, 132, 241, 501, 1452])
def test_framepack15_is_the_start_end_contrast_as_heliosbench_computes_it(frames: int) -> None:
    values = falling(frames)
    for film, found in zip(values.tolist(), framepack15(Course("aesthetic_quality", values, 24.0)), strict=True):
        kept = math.floor(len(film) * 0.15) or 1
        start, end = film[:kept], list(reversed(film))[:kept]
        assert found == pytest.approx(abs(mean(start) - mean(end)), abs=SAME)


def test_rolling5s_is_what_thread_12_reports_of_its_two_scores() -> None:
    """30 s at 16 fps, 481 frames, scores on 0..100: first 5 s 70.06, last 5 s 65.31."""
    film = [70.06] * 80 + [68.0] * 321 + [65.31] * 80
    (found,) = rolling5s(Course("imaging_quality", np.array([film]), 16.0))
    assert found == pytest.approx(70.06 - 65.31, abs=SAME)
    (gain,) = rolling5s(Course("imaging_quality", np.array([film[::-1]]), 16.0))
    assert gain == pytest.approx(-4.75, abs=SAME)
    assert np.isnan(rolling5s(Course("imaging_quality", np.array([film[:79]]), 16.0))).all()


@pytest.mark.parametrize("frames", [10, 19, 81, 249, 961, 1000])
def test_vde_is_lv_benchs_sum_over_ten_parts_of_one_length(frames: int) -> None:
    values = falling(frames, seed=frames)
    for film, found in zip(values.tolist(), vde(Course("imaging_quality", values, 16.0)), strict=True):
        whole = film[: len(film) - len(film) % 10]
        size = len(whole) // 10
        parts = [mean(whole[start : start + size]) for start in range(0, len(whole), size)]
        expected = 0.0
        for place, part in enumerate(parts[1:], start=2):
            expected += (10 - place + 1) * abs(part - parts[0]) / parts[0]
        assert found == pytest.approx(expected, rel=SAME)


def test_vde_of_a_start_of_zero_is_infinite_and_of_too_few_frames_undefined() -> None:
    values = np.ones((1, 100))
    values[:, :10] = 0
    assert vde(Course("imaging_quality", values, 16.0)).tolist() == [np.inf]
    assert np.isnan(vde(Course("imaging_quality", values[:, :9], 16.0))).all()


def test_svi_length_is_the_score_of_the_first_800_1600_and_more_frames() -> None:
    values = falling(4_850, films=2)
    found = svi_length(Course("imaging_quality", values, 16.0))
    assert list(found) == [800, 1600, 2400, 3200, 4000, 4800]
    for length, scores in found.items():
        assert scores == pytest.approx([mean(film[:length]) for film in values.tolist()], abs=SAME)
    assert list(svi_length(Course("imaging_quality", values[:, :801], 16.0))) == [800]
    assert svi_length(Course("imaging_quality", values[:, :799], 16.0)) == {}


@pytest.mark.parametrize(("fps", "seconds"), [(16.0, 10.0), (16.0, 5.0), (float(Fraction(24_000, 1_001)), 10.0)])
def test_segments_are_means_of_10_or_5_seconds(fps: float, seconds: float) -> None:
    values = falling(round(60 * fps), films=1)
    (found,) = segments(Course("aesthetic_quality", values, fps), seconds)
    film, expected = values[0].tolist(), []
    for second in range(0, 60, int(seconds)):
        expected.append(mean(film[round(second * fps) : round((second + seconds) * fps)]))
    assert found == pytest.approx(expected, abs=SAME)


def test_a_last_segment_counts_from_half_its_length() -> None:
    course = Course("aesthetic_quality", falling(100), 1.0)
    assert segments(course, 30).shape == (3, 3)
    assert segments(Course("aesthetic_quality", falling(105), 1.0), 30).shape == (3, 4)
    assert segments(course, 300).shape == (3, 0)


def test_parts_of_films_are_scored_as_vbench_scores_them_alone() -> None:
    from benchmarks.vbench.consistency import _mean_after_first
    from benchmarks.vbench.dimension import DimensionScore, mean_of_frames
    from benchmarks.vbench.motion import _mean_of_foretold

    values = falling(101)
    cosines, foretold = values.copy(), values.copy()
    cosines[:, 0] = np.nan
    foretold[:, ::2] = np.nan
    for metric, kept, rule in (
        ("imaging_quality", values, mean_of_frames),
        ("subject_consistency", cosines, _mean_after_first),
        ("background_consistency", cosines, _mean_after_first),
        ("motion_smoothness", foretold, _mean_of_foretold),
    ):
        course = Course(metric, kept, 16.0)
        for start, stop in ((0, 15), (86, 101), (10, 21), (11, 20)):
            alone = [DimensionScore(1.0, film, rule).of(start, stop) for film in kept]
            assert course.score(start, stop) == pytest.approx(alone, abs=1e-12)


def test_a_part_without_a_value_is_undefined_and_no_part_refused() -> None:
    course = Course("imaging_quality", np.array([[np.nan, np.nan, 1.0]]), 1.0)
    assert np.isnan(course.score(0, 2)).all()
    with pytest.raises(ValueError, match="received 2 to 4, expected some of 0 to 3"):
        course.score(2, 4)


def test_each_film_has_one_number_of_each_definition() -> None:
    course = Course("imaging_quality", falling(200), 16.0)
    assert {name: numbers(course).shape for name, numbers in NUMBERS.items()} == dict.fromkeys(NUMBERS, (3,))
