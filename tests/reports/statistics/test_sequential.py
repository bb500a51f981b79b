"""Looking again at each new seed, or at more films: how often equal rows are then called different."""

from collections.abc import Iterator

import numpy as np
import pytest

from reports.statistics.bootstrap import Floats, holm, paired_difference
from reports.statistics.power import Compared, shown_with
from reports.statistics.trainings import Trainings
from tests.reports.report_frames import info
from tests.reports.statistics.test_trainings import rows

MOST = 5  # seeds
FILMS = (16, 32, 64)
BOTH = MOST - 1 + len(FILMS) - 1  # looks at 2, 3, ... seeds and at each further number of films


def false_claims(sd: float, studies: int, looks: int) -> float:
    """The share of studies of five equal rows in which one of the looks at 2, 3, ... `MOST` seeds claims some difference."""
    random, alpha, false = np.random.default_rng(4), info(looks=looks).alpha, 0
    for _ in range(studies):
        table = rows(random, MOST, sd)
        false += any(_claims(table[:, :seeds], alpha) for seeds in range(2, MOST + 1))
    return false / studies


def _claims(table: Floats, alpha: float) -> bool:
    shift = Trainings.pooled(table)
    p = np.array([paired_difference(one - table[0], shift).p for one in table[1:]])
    return bool(holm(p).min() < alpha)


def test_looking_again_at_each_seed_does_not_claim_oftener() -> None:
    assert false_claims(0.71, studies=250, looks=MOST - 1) < 0.06


@pytest.mark.slow
@pytest.mark.parametrize("sd", [0.0, 0.36, 0.71, 1.4])
def test_at_most_one_study_of_twenty_errs_however_often_it_looks(sd: float) -> None:
    shared, each = false_claims(sd, 2000, MOST - 1), false_claims(sd, 2000, 1)
    print(f"trainings' SD {sd}: {shared:.1%}; with 5 % at each look {each:.1%}")
    assert shared < 0.05


def compared(table: Floats) -> list[Compared]:
    """Equal rows [rows, seeds, films] beside the first of them."""
    shift = Trainings.pooled(table)
    return [Compared(one - table[0], shift, 2) for one in table[1:]]


def studied(random: np.random.Generator, sd: float) -> Floats:
    """Rows that are equal over all films there are, and of which each is better on some, whatever its seed: by as much as a film of
    one training differs from the next. [rows, seeds, films]"""
    table = rows(random, MOST, sd, films=FILMS[-1])
    better: Floats = table + random.normal(0, 1, (len(table), 1, FILMS[-1]))
    return better


def path(table: Floats, alpha: float) -> Iterator[Floats]:
    """What each look sees of a study [rows, seeds, films], as `harness run --until decided` goes on: by the smaller difference."""
    seeds, films = 2, 0
    while True:
        seen = table[:, :seeds, : FILMS[films]]
        yield seen
        ways = [(seeds + 1, films)] * (seeds < MOST) + [(seeds, films + 1)] * (films + 1 < len(FILMS))
        if not ways:
            return
        told = compared(seen) if len(ways) > 1 else []
        seeds, films = min(
            ways, key=lambda way: shown_with(told, way[0] / seeds, FILMS[way[1]] / FILMS[films], alpha) if told else 0
        )


def false_on_paths(sd: float, studies: int) -> tuple[float, float, float]:
    """The share of studies of five equal rows in which some look on its path claims a difference: of looks that share 5 %, and of
    looks at 5 % each; and how many of ten first steps added films."""
    random, alpha, found = np.random.default_rng(6), info(looks=BOTH).alpha, []
    for _ in range(studies):
        looks = list(path(studied(random, sd), alpha))
        assert len(looks) == BOTH
        p = min(holm(np.array([paired_difference(*one).p for one in compared(seen)])).min() for seen in looks)
        found.append((p < alpha, p < 0.05, 10 * (looks[1].shape[2] > FILMS[0])))
    shared, each, films = np.mean(found, axis=0)
    return float(shared), float(each), float(films)


def test_adding_films_or_seeds_by_their_spreads_does_not_claim_oftener() -> None:
    assert false_on_paths(0.71, studies=100)[0] <= 0.06


def test_films_are_added_where_trainings_are_alike_and_seeds_where_they_differ() -> None:
    assert false_on_paths(0.0, studies=20)[2] > 6
    assert false_on_paths(1.4, studies=20)[2] < 4


def test_which_is_added_does_not_depend_on_the_difference() -> None:
    table = rows(np.random.default_rng(8), MOST, 0.71, films=FILMS[-1])
    shifted = table + np.arange(len(table))[:, None, None] * np.array(7.0)
    assert [one.shape for one in path(table, 0.01)] == [one.shape for one in path(shifted, 0.01)]


@pytest.mark.slow
@pytest.mark.parametrize("sd", [0.0, 0.36, 0.71, 1.4])
def test_at_most_one_study_of_twenty_errs_on_whichever_path(sd: float) -> None:
    shared, each, films = false_on_paths(sd, 2000)
    print(
        f"trainings' SD {sd}: {shared:.1%}; with 5 % at each look {each:.1%}; {films:.1f} of 10 first steps add films"
    )
    assert shared < 0.05
