"""What makes a comparison of two variants fair."""

import math

import pytest

from reports.statistics.spending import all_alike, unequal, unknown
from tests.reports.report_frames import info

FULL = {"parameters": 468_896.0, "clips": 48_000.0, "training_tokens": 960_000.0, "evaluations": 16.0, "tokens": 320.0}


@pytest.mark.parametrize(
    ("factor", "fair"), [(1.0, True), (1.05, True), (1 / 1.05, True), (1.06, False), (0.94, False)]
)
def test_within_a_twentieth_either_way_is_alike(factor: float, fair: bool) -> None:
    other = FULL | {"training_tokens": factor * FULL["training_tokens"]}
    assert (unequal(other, FULL) == {}) is fair
    assert (unequal(FULL, other) == {}) is fair


def test_each_cost_that_differs_is_named_by_its_factor() -> None:
    found = unequal(FULL | {"training_tokens": 2_400_000.0, "evaluations": 8.0, "before_first": 99.0}, FULL)
    assert found == {"training_tokens": 2.5, "evaluations": 0.5}
    assert unequal(FULL, FULL | {"parameters": 0.0}) == {"parameters": math.inf}


def test_clips_seen_are_shown_and_not_matched() -> None:
    """At equal evaluations a method with rollouts sees fewer."""
    assert unequal(FULL | {"clips": 100.0}, FULL) == {}


def test_what_was_not_counted_is_neither_alike_nor_not() -> None:
    old = {"evaluations": 16.0, "tokens": 320.0}
    assert unequal(old, FULL) == {}
    assert unknown(old)
    assert not unknown(FULL)


def test_rows_that_train_nothing_do_not_make_the_others_unlike() -> None:
    untrained = FULL | {"parameters": 0.0, "clips": 0.0, "training_tokens": 0.0}
    assert all_alike(info(spent={"full": FULL, "base": untrained, "no_e_img": FULL}))
    assert not all_alike(info(spent={"full": FULL, "no_e_img": FULL | {"tokens": 640.0}}))
    assert all_alike(info())
