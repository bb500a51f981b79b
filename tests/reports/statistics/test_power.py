"""The smallest difference that films could show: what so many studies show when it is there."""

import math

import numpy as np
import pytest

from reports.statistics.bootstrap import holm, paired_difference
from reports.statistics.power import POWER, Compared, detectable, foreseen, shown_with
from reports.statistics.trainings import Trainings


@pytest.mark.parametrize("seeds", [2, 3])
def test_what_is_foreseen_is_shown_as_often_as_said(seeds: int) -> None:
    """Within a tenth: studies show it less often than said where it is a tenth smaller, and oftener where it is a tenth larger."""
    films, rows = 16, 4
    known = Trainings(0.5**2 + 1 / films, 1e6, 1.0, 1e6, films, paired=0.6**2)
    smallest = foreseen(known, seeds, films, rows, trained=rows + 1)
    shown = {share: _shown(share * smallest, known, seeds, films, rows) for share in (0.9, 1.1)}
    assert shown[0.9] < POWER < shown[1.1]


def _shown(effect: float, known: Trainings, seeds: int, films: int, rows: int) -> float:
    """The share of studies that claim it of the one row that has it."""
    random, studies, shown = np.random.default_rng(5), 500, 0
    for _ in range(studies):
        table = random.normal(0, known.sd, (rows + 1, seeds, 1)) + random.normal(0, 1, (rows + 1, seeds, films))
        table[1:] += random.normal(0, np.sqrt(known.paired), (rows, 1, films))
        table[1] += effect
        shift = Trainings.pooled(table)
        shown += holm(np.array([paired_difference(one - table[0], shift).p for one in table[1:]]))[0] < 0.05
    return shown / studies


def test_fewer_seeds_films_or_more_rows_show_less() -> None:
    known = Trainings(0.5, 8, 1.0, 120, 16, paired=0.3)
    usual = foreseen(known, 3, 16, 5, trained=5)
    assert foreseen(known, 2, 16, 5, trained=5) > usual
    assert foreseen(known, 1, 16, 5, trained=5) > foreseen(known, 2, 16, 5, trained=5)
    assert foreseen(known, 3, 8, 5, trained=5) > usual
    assert foreseen(known, 3, 16, 9, trained=5) > usual


def test_nothing_is_detectable_without_an_interval() -> None:
    assert np.isnan(detectable(np.array([np.nan]), np.array([np.nan]), 0.05)).all()
    assert detectable(np.array([0.0]), np.array([15.0]), 0.05) == [0.0]


def a_study(seeds: int, films: int, sd: float, lasting: float) -> list[Compared]:
    """Five rows beside a baseline: trainings shift them by `sd`, and each is better on some films by `lasting`."""
    random = np.random.default_rng(11)
    table = random.normal(0, sd, (6, seeds, 1)) + random.normal(0, 1, (6, seeds, films))
    table += random.normal(0, lasting, (6, 1, films))
    shift = Trainings.pooled(table)
    return [Compared(one - table[0], shift, 2) for one in table[1:]]


def test_more_films_or_seeds_show_what_a_study_of_so_many_shows() -> None:
    small, seeds, films = (a_study(*size, sd=0.5, lasting=1.0) for size in ((8, 64), (16, 64), (8, 128)))
    now, with_seeds, with_films = (
        np.mean([row.detectable(1, 1, 0.01) for row in study]) for study in (small, seeds, films)
    )
    assert shown_with(small, 2, 1, 0.05) == pytest.approx(with_seeds / now, rel=0.15)
    assert shown_with(small, 1, 2, 0.05) == pytest.approx(with_films / now, rel=0.15)
    assert shown_with(small, 1, 1, 0.05) == 1


def test_what_is_short_is_what_shows_more() -> None:
    differ, alike = a_study(3, 16, sd=2.0, lasting=0.1), a_study(3, 16, sd=0.0, lasting=2.0)
    assert shown_with(differ, 4 / 3, 1, 0.05) < shown_with(differ, 1, 2, 0.05)
    assert shown_with(alike, 4 / 3, 1, 0.05) > shown_with(alike, 1, 2, 0.05)


def test_films_that_nothing_was_trained_for_count_by_their_own_spread() -> None:
    untrained = [row._replace(trainings=None, sides=0) for row in a_study(2, 16, sd=0.0, lasting=1.0)]
    assert shown_with(untrained, 1, 2, 0.05) < 0.8
    assert math.isnan(shown_with([row._replace(table=row.table[:1]) for row in untrained], 2, 1, 0.05))
    assert math.isnan(shown_with([], 2, 1, 0.05))
