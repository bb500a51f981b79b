"""How far trainings differ: found again where it is known, and equal rows seldom called different for it."""

import math

import numpy as np
import pytest

from reports.statistics.bootstrap import Floats, holm, paired_difference
from reports.statistics.trainings import Trainings, shared, weights

ROWS, FILMS = 5, 16


def rows(random: np.random.Generator, seeds: int, sd: float, rows: int = ROWS, films: int = FILMS) -> Floats:
    """Equal rows [rows, seeds, films]: films differ by 3, trainings by `sd`, and a film of one training from the next by 1."""
    own, shift = random.normal(0, 1, (rows, seeds, films)), random.normal(0, sd, (rows, seeds, 1))
    return random.normal(0, 3, films) + shift + own


def false_claims(seeds: int, sd: float, studies: int) -> float:
    """The share of studies of five equal rows that claim some difference after Holm; one seed knows a run of three before it."""
    random, false = np.random.default_rng(2), 0
    for _ in range(studies):
        table = rows(random, seeds, sd)
        shift = Trainings.pooled(table if seeds > 1 else rows(random, 3, sd))
        p = [paired_difference(one - table[0], shift).p for one in table[1:]]
        false += bool(holm(np.array(p)).min() < 0.05)
    return false / studies


@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("sd", [0.36, 1.4])
def test_equal_rows_are_seldom_called_different(seeds: int, sd: float) -> None:
    assert false_claims(seeds, sd, studies=400) < 0.07


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("sd", [0.0, 0.36, 0.71, 1.4])
def test_equal_rows_are_called_different_in_one_study_of_twenty_at_most(seeds: int, sd: float) -> None:
    found = false_claims(seeds, sd, studies=4000)
    print(f"{seeds} seeds, trainings' SD {sd}: {found:.1%}")
    assert found < 0.05


def test_the_spread_of_trainings_is_found_without_that_of_films() -> None:
    found = Trainings.pooled(rows(np.random.default_rng(0), seeds=40, sd=0.7))
    assert found is not None
    assert found.sd == pytest.approx(0.7, rel=0.15)
    assert (found.freedom, found.films) == (ROWS * 39, FILMS)
    assert found.error == pytest.approx(1.0, rel=0.1)
    none = Trainings.pooled(rows(np.random.default_rng(0), seeds=40, sd=0.0))
    assert none is not None
    assert none.sd < 0.15


def test_one_seed_or_one_film_says_nothing_of_trainings() -> None:
    random = np.random.default_rng(0)
    assert Trainings.pooled(rows(random, seeds=1, sd=1.0)) is None
    assert Trainings.pooled(rows(random, seeds=3, sd=1.0, films=1)) is None
    assert Trainings.pooled([]) is None


def test_films_of_the_same_trainings_are_one_draw_of_them() -> None:
    """Copies of one row say nothing more of trainings than the row alone."""
    table, other = rows(np.random.default_rng(0), seeds=3, sd=1.0, rows=2)
    made = {name: {0: "a", 1: "b", 2: "c"} for name in ("full", "alpha", "rounds")} | {"own": {0: "d", 1: "e", 2: "f"}}
    names = ("full", "alpha", "rounds", "own", "unknown")
    assert weights(made, names) == [1 / 3, 1 / 3, 1 / 3, 1, 1]
    assert [shared(made, "full", name) for name in names] == [True, True, True, False, False]
    found = Trainings.pooled([table] * 3 + [other], weights=weights(made, names[:4]))
    alone = Trainings.pooled([table, other])
    assert found == pytest.approx(alone, nan_ok=True)
    assert not shared({"full": {0: "a"}, "late": {5: "a"}}, "full", "late")  # no seed in common
    assert not shared({"full": {0: "a", 1: "b"}, "two": {0: "a", 1: "c"}}, "full", "two")


def test_films_that_a_seed_lacks_are_left_out() -> None:
    table = rows(np.random.default_rng(0), seeds=2, sd=1.0, rows=1)
    holes = np.concatenate([table, np.full((1, 2, 1), 5.0)], axis=2)
    holes[0, 0, -1] = math.nan
    assert str(Trainings.pooled(holes)) == str(Trainings.pooled(table))


def test_with_one_seed_an_interval_reaches_over_two_sds_of_the_trainings() -> None:
    random = np.random.default_rng(1)
    shift = Trainings.pooled(rows(random, seeds=3, sd=1.0))
    assert shift is not None
    films = random.normal(1.5, 0.1, (1, FILMS))
    assert paired_difference(films).significant
    for sides in (1, 2):
        found = paired_difference(films, shift, sides)
        assert (found.high - found.low) / 2 > 2 * shift.sd
        assert not found.significant
    assert paired_difference(films, shift, sides=0) == paired_difference(films)


def test_what_no_seed_takes_away_of_a_difference_is_told() -> None:
    random = np.random.default_rng(3)
    lasting = random.normal(0, 2, (300,))
    seeds = [lasting + random.normal(0, 1, 300) + random.normal(0, 1) for _ in range(3)]
    found = Trainings.pooled([np.array(seeds)], [np.array(seeds)])
    assert found is not None
    assert found.paired == pytest.approx(lasting.var(), rel=0.15)


def test_where_films_hardly_differ_the_spread_of_trainings_is_what_is_left() -> None:
    """No more is taken off for the films' share in it than the films of this row have."""
    shift = Trainings(between=1.0, freedom=4, error=15.9, error_freedom=60, films=16)
    found = paired_difference(np.random.default_rng(0).normal(1, 1e-3, (2, FILMS)), shift)
    assert found.freedom == pytest.approx(4)
    assert found.se == pytest.approx(1.0)
