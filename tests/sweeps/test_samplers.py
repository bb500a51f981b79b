"""Samplers by name, and seeds that no two workers share."""

from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from harness.core.errors import UseError
from sweeps.samplers import OwnSeed, drawn, rehearse, sampler_class
from sweeps.space import Choice
from sweeps.storage import tell
from sweeps.study import SweepRequest, SweepStudy
from sweeps.sweep import Sweep
from tests.sweeps.studies import MIXED, space


@pytest.mark.parametrize("name", ["tpe", "TPE", "TPESampler", "random", "qmc", "nsgaii", "nsga-ii", "cmaes", "gp"])
def test_any_sampler_of_optuna_by_name(name: str) -> None:
    assert sampler_class(name).__name__.lower().startswith(name.lower().replace("-", "").removesuffix("sampler"))


@pytest.mark.parametrize("name", ["grid", "partialfixed", "base", "tpee"])
def test_one_that_needs_more_than_a_seed_is_unknown(name: str) -> None:
    with pytest.raises(UseError, match="unknown sampler"):
        sampler_class(name)


@pytest.mark.parametrize("name", ["tpe", "random", "qmc", "nsgaii"])
def test_a_mixed_space_suits_them(name: str) -> None:
    rehearse(name, MIXED)


def test_one_that_tries_everything_goes_on_when_it_has(tmp_path: Path) -> None:
    few = Sweep("q", {"bank.replacement": Choice("l2", "fifo")}, MIXED.track, MIXED.objectives)
    rehearse("bruteforce", few)
    made = SweepStudy("few", few, SweepRequest(sampler="bruteforce"), tmp_path / "runs")
    made.slots.fill(4, retry_failed=True)
    found = []
    for _ in range(4):
        trial = made.slots.take(4)
        assert trial is not None
        found.append(trial.params["bank.replacement"])
        tell(trial, TrialState.COMPLETE, [1.0])
    assert set(found[:2]) == {"l2", "fifo"}


def draws(first: int, sampler: str = "random", seed: int = 100) -> list[dict[str, object]]:
    """What a worker draws whose first trial has this number."""
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler())
    for _ in range(first):
        study.tell(study.ask(), 0.0)
    study.sampler = OwnSeed(sampler, seed)
    found = []
    for _ in range(3):
        trial = study.ask(space())
        study.tell(trial, float(trial.number))
        found.append(trial.params)
    return found


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_worker_repeats_itself_and_no_other(sampler: str) -> None:
    assert draws(0, sampler) == draws(0, sampler)
    assert not [one for one in draws(0, sampler) if one in draws(1, sampler)]
    assert draws(0, sampler) != draws(0, sampler, seed=101)


def test_a_command_that_ends_a_dead_ones_trial_does_not_repeat_its_draws() -> None:
    study = optuna.create_study(direction="maximize", sampler=OwnSeed("random", 100))
    dead = study.ask(space())
    study.sampler = OwnSeed("random", 100)
    study.tell(dead.number, state=TrialState.FAIL)
    assert study.ask(space()).params != dead.params


def test_proposals_are_the_same_each_time() -> None:
    assert drawn(MIXED, 5, 7) == drawn(MIXED, 6, 7)[:5] != drawn(MIXED, 5, 8)
