"""Two workers on one study in a real PostgreSQL, one of them killed: no trial is lost, none is counted twice."""

import json
import signal
import subprocess
import threading
import time
from pathlib import Path

import optuna
import pytest
from optuna.storages import RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from sweeps import worker
from sweeps.slots import SLOT
from sweeps.study import SweepRequest, SweepStudy
from sweeps.trial import RUN
from tests import postgresql
from tests.harness.small import SMALL, command, environment, harness
from tests.sweeps.studies import MIXED

TRIALS = 40
QUICK = {"data.fps": 1, "train.steps": 2, "generate.steps": 1, "train.checkpoint_every": 2}
KILL_AFTER = 8  # finished trials
DEADLINE = 1500.0  # seconds; three minutes on two idle cores


def words(storage: str) -> list[str]:
    """The command of each worker."""
    small = {key: value for key, _, value in (word.partition("=") for word in SMALL)}
    settings = [f"{key}={value}" for key, value in {**small, **QUICK}.items()]
    return ["sweep", "injection", *settings, "--trials", str(TRIALS), "--jobs", "1", "--storage", storage]


def start(storage: str, store: Path, log: Path) -> subprocess.Popen[bytes]:
    """A worker in a process of its own."""
    with log.open("wb") as output:
        return subprocess.Popen(
            command(*words(storage), store=store), stdout=output, stderr=subprocess.STDOUT, env=environment()
        )


def study_in(storage: str) -> optuna.Study | None:
    """The one study there; None until a worker has made it."""
    try:
        names = optuna.get_all_study_names(storage)
        return optuna.load_study(study_name=names[0], storage=storage) if names else None
    except Exception:  # the tables are being made
        return None


def wait_for_trials(storage: str, count: int, deadline: float) -> optuna.Study:
    """Wait until so many trials are finished. The study is opened once: each opening keeps connections, of which there are 100."""
    study = None
    while time.monotonic() < deadline:
        study = study or study_in(storage)
        if study is not None and sum(trial.state in DONE for trial in study.get_trials(deepcopy=False)) >= count:
            return study
        time.sleep(1)
    raise AssertionError(f"no {count} trials in time")


def kill_with_a_trial_in_hand(worker: subprocess.Popen[bytes], study: optuna.Study, deadline: float) -> None:
    """Of two trials that run while it is held still, one is its own: the other worker does one at a time."""
    while time.monotonic() < deadline:
        worker.send_signal(signal.SIGSTOP)
        if len(study.get_trials(deepcopy=False, states=[TrialState.RUNNING])) == 2:
            worker.kill()
            worker.wait()
            return
        worker.send_signal(signal.SIGCONT)
        time.sleep(0.2)
    raise AssertionError("the worker never had a trial in hand")


DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def test_workers_that_begin_together_add_each_trial_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOOK_EVERY", 0.5)
    asked = SweepRequest(storage=str(tmp_path / "study.journal"))
    first, second = (SweepStudy("mixed", MIXED, asked, tmp_path / "runs") for _ in range(2))
    assert (first.made_here, second.made_here) == (True, False)
    filling = threading.Thread(target=first.slots.fill, args=(TRIALS, True))
    filling.start()
    worker.let_others_fill(second, TRIALS)
    second.slots.fill(TRIALS, retry_failed=True)
    filling.join()
    assert len(second.optuna.trials) == TRIALS
    worker.let_others_fill(second, TRIALS + 5)  # nobody adds these: it does not wait for ever
    second.slots.fill(TRIALS + 5, retry_failed=True)
    assert len(first.optuna.trials) == TRIALS + 5


@pytest.mark.slow
@pytest.mark.skipif(postgresql.programs() is None, reason="no PostgreSQL here: apt-get install postgresql")
def test_forty_trials_by_two_workers_of_which_one_is_killed(tmp_path: Path) -> None:
    store, deadline = tmp_path / "runs", time.monotonic() + DEADLINE
    with postgresql.server("study") as server:
        storage = f"{server}study"
        workers = [start(storage, store, tmp_path / f"{number}.log") for number in range(2)]
        try:
            watched = wait_for_trials(storage, KILL_AFTER, deadline)
            kill_with_a_trial_in_hand(workers[0], watched, deadline)
            assert workers[1].wait(timeout=deadline - time.monotonic()) == 0, (tmp_path / "1.log").read_text()[-3000:]
        finally:
            for one in workers:
                one.kill()
                one.wait()
        study = study_in(storage)
        assert study is not None
        trials = study.get_trials()
    done = [trial for trial in trials if trial.state in DONE]
    assert sorted(trial.user_attrs[SLOT] for trial in done) == list(range(TRIALS))
    assert {trial.state for trial in trials} <= {*DONE, TrialState.FAIL}
    assert len(trials) <= TRIALS + 4  # the retried one, and a few that two workers added at once
    check_retried(trials)
    check_left_behind(store, done)


def check_retried(trials: list[FrozenTrial]) -> None:
    """What the killed worker held was lost, and is done again at the same settings, once."""
    retried = [t for t in trials if RetryHeartbeatStaleTrialCallback.retried_trial_number(t) is not None]
    counted = [trial for trial in retried if trial.state in DONE]
    assert len(counted) == 1, [(trial.number, trial.state, trial.user_attrs) for trial in retried]
    lost = trials[RetryHeartbeatStaleTrialCallback.retried_trial_number(counted[0])]
    assert lost.state == TrialState.FAIL
    assert lost.params == counted[0].params


def check_left_behind(store: Path, done: list[FrozenTrial]) -> None:
    """Each setting was trained once, the table has a row a trial, and the reports open."""
    settings = {tuple(trial.params.items()) for trial in done}
    assert len(list((store / "artifacts" / "train").iterdir())) == len(settings) == TRIALS
    (table,) = store.glob("sweeps/*/trials.json")
    rows = json.loads(table.read_text())["trials"]
    assert sorted(row["trial"] for row in rows) == sorted(trial.number for trial in done)
    best = harness("report", "sweep_injection_best", "--format", "html", store=store)
    assert best.returncode == 0, best.stderr
    assert b"<video" in Path(best.stdout.strip()).read_bytes()
    printed = harness("report", "sweep_injection", store=store).stdout
    assert all(f"trial-{trial.number:03d}" in printed for trial in done if trial.state == TrialState.COMPLETE)
    check_mlflow(store, done)


def check_mlflow(store: Path, done: list[FrozenTrial]) -> None:
    """Every trial's run is a child of the study's."""
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{store / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("sweep_injection")
    assert experiment is not None
    runs = {run.info.run_id: run for run in client.search_runs([experiment.experiment_id], max_results=1000)}
    (parent,) = (key for key, run in runs.items() if "mlflow.parentRunId" not in run.data.tags)
    assert not [run for run in runs.values() if run.info.status == "RUNNING"]
    for trial in done:
        run = runs[trial.user_attrs[RUN]]
        assert run.data.tags["mlflow.parentRunId"] == parent
        assert run.data.tags["sweep.trial"] == f"trial-{trial.number:03d}"
        assert run.data.tags["sweep.state"] == trial.state.name.lower()
        assert run.info.status == "FINISHED"
