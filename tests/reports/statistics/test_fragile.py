"""A difference that hangs on two films, and one that does not."""

from itertools import combinations

import numpy as np
from scipy.stats import ttest_1samp  # type: ignore[import-untyped]

from reports.statistics.fragile import hangs_on


def test_a_difference_that_two_films_make_hangs_on_them() -> None:
    films = np.array([[0.05, -0.1, 1.2, 0.0, 0.3, 1.1, 0.4, 0.35]])
    assert ttest_1samp(films[0], 0).pvalue < 0.05
    assert hangs_on(films, None, 0, 1.0) is not None


def test_a_difference_of_all_films_hangs_on_none() -> None:
    films = np.array([[1.0, 1.1, 0.9, 1.2, 0.8, 1.0, 1.1, 0.9]])
    assert hangs_on(films, None, 0, 4.0) is None


def test_the_two_are_those_without_which_p_is_largest_and_missing_films_keep_their_place() -> None:
    films = np.array([0.9, 0.2, np.nan, 1.4, 0.1, 0.8, 0.9, 0.3])
    there = [index for index in range(len(films)) if index != 2]
    p = {pair: ttest_1samp(films[[i for i in there if i not in pair]], 0).pvalue for pair in combinations(there, 2)}
    worst = max(p, key=lambda pair: p[pair])
    assert hangs_on(films[None], None, 0, 0.0501 / p[worst]) == worst
    assert hangs_on(films[None], None, 0, 0.0499 / p[worst]) is None


def test_too_few_films_to_leave_any_out_hang_on_none() -> None:
    assert hangs_on(np.array([[1.0, 2.0, 3.0]]), None, 0, 1.0) is None
