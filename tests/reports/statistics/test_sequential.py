"""Looking again at each new seed: how often equal rows are then called different."""

import numpy as np
import pytest

from reports.statistics.bootstrap import Floats, holm, paired_difference
from reports.statistics.trainings import Trainings
from tests.reports.report_frames import info
from tests.reports.statistics.test_trainings import rows

MOST = 5  # seeds


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
