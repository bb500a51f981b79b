"""Most trials end at a shorter training; what goes on is trained as any variant is."""

import json
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import Trial, TrialState

from harness.core.errors import UseError
from sweeps import halving
from sweeps.declared import INJECTION, INJECTION_FRONT
from sweeps.pruning import PRUNED
from sweeps.slots import KNOWN
from sweeps.study import SweepRequest, SweepStudy
from sweeps.sweep import Sweep
from sweeps.trial import SIGNATURES
from tests.harness.small import process
from tests.sweeps.test_sweep import QUICK, study_of


def climb(study: optuna.Study, late: float, known: bool = False) -> tuple[Trial, str | None]:
    """A trial whose error forecast is this on every rung, and why it ended."""
    trial = study.ask()
    if known:
        trial.set_user_attr(KNOWN, True)
    sign = -1 if study.direction == optuna.study.StudyDirection.MAXIMIZE else 1
    for rung, steps in enumerate(halving.shorter(800)):
        trial.set_user_attr(halving.CLIMBED, [late] * (rung + 1))
        trial.report(sign * late, halving.resource(rung))
        if (reason := halving.reason_to_stop(trial, steps)) is not None:
            study.tell(trial, state=TrialState.PRUNED)
            return trial, reason
    study.tell(trial, late)
    return trial, None


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_the_lowest_forecasts_go_on_whichever_way_the_objective_is_better(direction: str) -> None:
    study = optuna.create_study(direction=direction, pruner=halving.pruner())
    lates = np.random.default_rng(0).permutation(40) + 1.0
    whole = [late for late in lates if climb(study, late)[1] is None]
    assert 1.0 in whole  # nothing is better than it, so no rung can end it
    assert len(whole) <= 10
    assert np.mean(whole) < np.mean(lates) / 2


def test_the_reason_has_the_forecast_and_the_steps() -> None:
    study = optuna.create_study(direction="minimize", pruner=halving.pruner())
    climb(study, 1.0)
    assert climb(study, 2.5)[1] == "late error forecast 2.5 after a training of 100 steps: not among the best of 4"


def test_known_settings_go_on_and_others_are_held_against_them() -> None:
    study = optuna.create_study(direction="minimize", pruner=halving.pruner())
    climb(study, 1.0)
    assert climb(study, 9.0, known=True)[1] is None
    assert [len(climb(study, late)[0].user_attrs[halving.CLIMBED]) for late in (8.0, 0.5)] == [1, 2]


def test_a_rung_has_a_step_at_least() -> None:
    assert (halving.shorter(3000), halving.shorter(2)) == ([375, 750], [1, 1])


@pytest.mark.parametrize(
    ("sweep", "override", "said"),
    [(INJECTION_FRONT, (), "2 objectives"), (INJECTION, ("train.epochs=2",), "train.epochs=2")],
)
def test_what_cannot_be_halved_is_refused(sweep: Sweep, override: tuple[str, ...], said: str, tmp_path: Path) -> None:
    with pytest.raises(UseError, match=said):
        SweepStudy("injection", sweep, SweepRequest(overrides=override, pruner="halving"), tmp_path)


def test_rungs_are_shorter_trainings_of_the_same_trial_and_leave_its_own_as_it_is(tmp_path: Path) -> None:
    params = INJECTION.known[0]
    asked = SweepRequest(overrides=("train.steps=800",), pruner="halving")
    halved = SweepStudy("injection", INJECTION, asked, tmp_path / "a")
    rungs = halved.rungs(0, params)
    assert [rung.children[0].resolved.settings.train.steps for rung in rungs] == [100, 200]
    plain = SweepStudy("injection", INJECTION, SweepRequest(overrides=asked.overrides, pruner="none"), tmp_path / "b")
    assert plain.rungs(0, params) == []
    own = [study.pipeline({"trial-000": params}).children[0].train for study in (halved, plain)]
    assert own[0] == own[1]


@pytest.mark.slow
def test_a_halved_sweep_trains_whole_only_what_goes_on(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    words = ("sweep", "injection", *QUICK, "--trials", "8", "--pruner", "halving", "--sampler", "random", "--jobs", "1")
    done = process(*words, store=store)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "--pruner halving: the forecast ranks background_psnr" in done.stdout
    trials = study_of(store).trials
    stopped = [trial for trial in trials if trial.state == TrialState.PRUNED]
    assert stopped
    for trial in trials:
        (own,) = trial.user_attrs[SIGNATURES]["train"]
        assert (store / "artifacts" / "train" / own[:16]).is_dir() == (trial not in stopped)
        assert (PRUNED in trial.user_attrs) == (trial in stopped)
        assert list(trial.intermediate_values)[:1] == [1]
    assert not list((store / "partial").iterdir())
    (folder,) = (path.parent for path in store.glob("sweeps/*/study.json"))
    rows = json.loads((folder / "trials.json").read_text())["trials"]
    assert sum(row["state"] == "pruned" for row in rows) == len(stopped)
