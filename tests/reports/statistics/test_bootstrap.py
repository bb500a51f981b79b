"""The paired bootstrap against what is known of it: its interval covers, its draws are fixed, its p is that of its interval."""

import subprocess
import sys

import numpy as np
import pytest

from reports.statistics.bootstrap import DRAWS, FEWEST, Difference, holm, paired_difference


@pytest.fixture
def random() -> np.random.Generator:
    """Of this test alone."""
    return np.random.default_rng(0)


def test_its_interval_is_as_wide_as_student_s_t_for_what_is_normal() -> None:
    found = paired_difference(np.array([[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]]))
    se = np.std(range(1, 9), ddof=1) / np.sqrt(8)
    assert (found.mean, found.n) == (4.5, 8)
    assert found.se == pytest.approx(se, rel=0.02)
    assert (found.low, found.high) == (
        pytest.approx(4.5 - 2.365 * se, abs=0.25),
        pytest.approx(4.5 + 2.365 * se, abs=0.25),
    )


@pytest.mark.parametrize("samples", [6, 16])
def test_nineteen_of_twenty_intervals_cover_the_truth(samples: int, random: np.random.Generator) -> None:
    found = [paired_difference(random.normal(0, 1, (1, samples))) for _ in range(300)]
    covered = np.mean([one.low <= 0 <= one.high for one in found])
    assert 0.90 < covered < 0.985


def test_what_trainings_have_in_common_widens_the_interval(random: np.random.Generator) -> None:
    one = random.normal(1, 0.1, (1, 12))
    alike, apart = np.vstack([one, one]), np.vstack([one, one + 1.0])
    assert paired_difference(alike).low > 0.8
    assert paired_difference(apart).low < 1.0  # the second training alone says 2, the first 1
    assert paired_difference(apart).mean == pytest.approx(1.5, abs=0.1)


def test_p_is_below_5_percent_where_the_interval_excludes_0(random: np.random.Generator) -> None:
    for mean in np.linspace(0, 1.5, 40):
        found = paired_difference(random.normal(mean, 1, (1, 10)))
        assert (found.p < 0.05) == found.significant or abs(found.p - 0.05) < 0.005


def test_a_difference_far_from_0_has_a_p_smaller_than_its_draws_can_count(random: np.random.Generator) -> None:
    assert paired_difference(random.normal(20, 1, (1, 16))).p < 1 / DRAWS**2
    same = paired_difference(np.zeros((1, FEWEST)))
    assert (same.low, same.high, same.p) == (0, 0, 1)


def test_missing_pairs_weigh_nothing_and_few_give_no_interval(random: np.random.Generator) -> None:
    values = random.normal(1, 0.1, (2, 8))
    holes = values.copy()
    holes[0, 3] = holes[:, 5] = np.nan
    found = paired_difference(holes)
    assert found.n == 7
    assert found.mean == pytest.approx(np.nanmean(holes))
    assert found.low < 1 < found.high
    few = paired_difference(values[:, : FEWEST - 1])
    assert few.n == FEWEST - 1
    assert np.isnan([few.se, few.low, few.high, few.p]).all()
    assert not few.significant
    assert paired_difference(np.full((2, 3), np.nan)) == pytest.approx(
        Difference(*[np.nan] * 2, 0, *[np.nan] * 3), nan_ok=True
    )


def test_another_process_draws_the_same() -> None:
    code = (
        "import numpy as np; from reports.statistics import bootstrap; "
        "print(bootstrap.paired_difference(np.arange(9.0)[None] ** 2))"
    )
    here = str(paired_difference(np.arange(9.0)[None] ** 2))
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == here
    )


def test_holm_multiplies_the_smallest_most_and_never_turns_an_order() -> None:
    assert list(holm(np.array([0.02, 0.01, np.nan, 0.5]))) == pytest.approx([0.04, 0.03, np.nan, 0.5], nan_ok=True)
    assert list(holm(np.array([0.03, 0.04]))) == pytest.approx([0.06, 0.06])
    assert holm(np.array([0.9, 0.8])).max() <= 1
    assert np.isnan(holm(np.array([np.nan]))).all()


@pytest.mark.parametrize(("seeds", "most"), [(2, 0.14), (3, 0.1)])
@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_few_trainings_that_differ_by_chance_are_seldom_called_different(
    seeds: int, most: float, spread: float
) -> None:
    random, false = np.random.default_rng(1), 0
    for _ in range(200):
        by_seed = random.normal(0, spread, (seeds, 1))
        found = paired_difference(by_seed + random.normal(0, 1, 16) + random.normal(0, 0.5, (seeds, 16)))
        false += found.significant
        assert (found.p < 0.05) == found.significant
    assert false / 200 <= most


def test_seeds_that_agree_to_the_digit_have_no_spread() -> None:
    assert paired_difference(np.full((3, 8), 2.0))[3:6] == (2.0, 2.0, 0.0)
    assert paired_difference(np.zeros((3, 8))).p == 1
