"""Small real sweeps: known settings first, gone on with, every trial a variant that can be opened, two objectives."""

import json
import signal
import subprocess
import time
from pathlib import Path

import optuna
import pytest
from mlflow import MlflowClient
from optuna.trial import TrialState

from sweeps.pruning import LATE_FORECAST, PRUNED
from sweeps.sweep import SWEEPS
from sweeps.trial import RUN, SIGNATURES
from tests.harness.small import SMALL, command, environment, harness, process

FASTER = {"data.fps": "1", "generate.steps": "1"}
QUICK = tuple(f"{key}={value}" for key, value in (dict(word.split("=") for word in SMALL) | FASTER).items())
FRONT = """
from sweeps.declared import INJECTION_FRONT
from sweeps.space import Choice, Float, Int
from sweeps.sweep import Sweep

front = Sweep(
    question="Which bank, for films that stay true and still move?",
    space={"bank.capacity": Int(1, 64, log=True), "bank.replacement": Choice("l2", "fifo"), "injection.p_clean": Float(0, 1)},
    known=({"bank.capacity": 16},),
    track="consistent-50s",
    objectives=INJECTION_FRONT.objectives,
)
"""


def study_of(store: Path) -> optuna.Study:
    """The one study of a store."""
    storage = f"sqlite:///{store / 'optuna.db'}"
    (name,) = optuna.get_all_study_names(storage)
    return optuna.load_study(study_name=name, storage=storage)


@pytest.mark.slow
def test_a_study_goes_on_and_its_trials_open_like_any_run(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    first = process("sweep", "injection", *QUICK, "--trials", "2", "--pruner", "none", store=store)
    assert first.returncode == 0, first.stderr[-2000:]
    assert "optuna-dashboard sqlite:///" in first.stdout
    known = [dict(settings) for settings in SWEEPS.get("injection").known]
    assert [trial.params for trial in study_of(store).trials] == known[:2]
    more = process("sweep", "injection", *QUICK, "--trials", "5", "--pruner", "none", store=store)
    assert more.returncode == 0, more.stderr[-2000:]
    trials = study_of(store).trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 5
    assert len({tuple(trial.params.items()) for trial in trials}) == 5
    assert len(list((store / "artifacts" / "train").iterdir())) == 5
    for trial in trials:
        signatures = trial.user_attrs[SIGNATURES]
        made = store / "artifacts" / "generate" / signatures["generate"][:16]
        assert json.loads((made / "manifest.json").read_text())["signature"] == signatures["generate"]
        assert trial.intermediate_values[1] == -trial.user_attrs[LATE_FORECAST]["value"]
    check_files(store)
    check_runs(store, trials)


def check_files(store: Path) -> None:
    """Pictures, tables, both reports, and the trials as an experiment of which nothing is left to do."""
    (folder,) = (path.parent for path in store.glob("sweeps/*/study.json"))
    for name in ("importance", "slice", "contour"):
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert len((folder / "trials.csv").read_text().splitlines()) == 6
    assert "trial-004" in harness("report", "sweep_injection", store=store).stdout
    page = harness("report", "sweep_injection_best", "--format", "html", store=store)
    assert b"<video" in Path(page.stdout.strip()).read_bytes()
    again = harness(
        "plan", f"{folder}/sweep_injection.py:sweep_injection", "--only", "trial-003", "--json", store=store
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["missing"] == 1  # the report of it alone


def check_runs(store: Path, trials: list[optuna.trial.FrozenTrial]) -> None:
    """A run a trial, in the study's run, with what was searched and what it came to."""
    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("sweep_injection")
    assert experiment is not None
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id])}
    (parent,) = set(runs) - {trial.user_attrs[RUN] for trial in trials}
    assert (runs[parent].info.status, runs[parent].data.tags["sweep.track"]) == ("FINISHED", "consistent-50s")
    assert runs[parent].data.tags["sweep.trials"] == "5"  # as the last command asked
    for trial in trials:
        run = runs[trial.user_attrs[RUN]]
        assert run.data.tags["mlflow.parentRunId"] == parent
        assert run.data.tags["sweep.state"] == "complete"
        assert float(run.data.params["injection.p_img"]) == trial.params["injection.p_img"]
        assert run.data.metrics["objective/placed_psnr_late"] == pytest.approx(trial.value)
    pictures = {file.path for file in client.list_artifacts(parent, "study")}
    assert {"study/contour.png", "study/trials.csv"} <= pictures


@pytest.mark.slow
def test_two_objectives_of_a_users_own_sweep_in_a_journal(tmp_path: Path) -> None:
    store, file = tmp_path / "runs", tmp_path / "mine.py"
    file.write_text(FRONT)
    storage = ("--storage", str(tmp_path / "study.journal"))
    done = process("sweep", f"{file}:front", *QUICK, "--trials", "8", "--sampler", "random", *storage, store=store)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "on the front: trial" in done.stdout
    (folder,) = (path.parent for path in store.glob("sweeps/*/study.json"))
    rows = json.loads((folder / "trials.json").read_text())["trials"]
    assert len(rows) == 8
    for row in rows:
        assert (row["state"] == "pruned") == (row["motion late"] is None) == (row["pruned"] is not None)
    names = {path.stem for path in folder.glob("*.png")}
    assert {"pareto", "slice-motion", "importance-placed_psnr", "contour-motion"} <= names


@pytest.mark.slow
def test_an_interrupted_sweep_gives_its_trial_back(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    longer = (word for word in QUICK if not word.startswith("train.steps="))  # than it takes to refuse a second command
    words = ("sweep", "injection", *longer, "train.steps=300", "--trials", "3", "--jobs", "1")
    running = subprocess.Popen(command(*words, store=store), env=environment(), stderr=subprocess.PIPE)
    deadline = time.monotonic() + 600
    while not list((store / "partial").glob("train-*")) and time.monotonic() < deadline:
        time.sleep(0.1)
    second = harness(*words, store=store)
    assert second.returncode == 2
    assert "--storage journal:PATH" in second.stderr
    running.send_signal(signal.SIGTERM)
    _, said = running.communicate(timeout=300)
    assert b"Traceback" not in said, said.decode()[-3000:]
    before = study_of(store).trials
    (given_back,) = (trial for trial in before if trial.state == TrialState.FAIL)
    done = harness(*words, store=store)
    assert done.returncode == 0, done.stderr[-2000:]
    trials = study_of(store).trials
    finished = [trial for trial in trials if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
    assert len(finished) == 3
    assert given_back.params in [trial.params for trial in finished]
    assert not [trial for trial in finished if PRUNED in trial.user_attrs]  # all three are known settings
