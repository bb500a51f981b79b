"""What a study leaves: the best trials, a table, and its trials as an experiment."""

import csv
import json
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from optuna.trial import FrozenTrial, TrialState

from harness.declare.request import Request
from harness.declare.spec import load_experiment
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import build
from harness.tracking import Tracker, resolve_uri
from sweeps.figures import draw
from sweeps.pruning import LATE_FORECAST, PRUNED
from sweeps.publish import StudyRun
from sweeps.results import best_trials, send_rest, write_experiment, write_page, write_trials
from sweeps.study import SweepRequest, SweepStudy, trial_name
from sweeps.sweep import Objective, Sweep
from sweeps.trial import RUN
from tests.harness.small import database
from tests.sweeps.studies import MIXED
from tests.undrawn import undrawn


def study(folder: Path, objectives: tuple[Objective, ...] = MIXED.objectives) -> SweepStudy:
    """A study that nothing has worked on."""
    sweep = Sweep(MIXED.question, MIXED.space, MIXED.track, objectives, MIXED.known)
    return SweepStudy("mixed", sweep, SweepRequest(), folder / "runs")


def finished(made: SweepStudy, values: Sequence[Sequence[float] | None]) -> list[FrozenTrial]:
    """Trials with these values; None is a pruned one."""
    made.slots.fill(len(values), retry_failed=True)
    for given in values:
        trial = made.slots.take(len(values))
        assert trial is not None
        trial.set_user_attr(LATE_FORECAST, {"value": 1.0, "low": 0.5, "high": 2.0})
        if given is None:
            trial.set_user_attr(PRUNED, "too much drift")
            trial.report(-1.0, step=1)  # as a trial of one objective does, and Optuna then has it for its value
            made.optuna.tell(trial, state=TrialState.PRUNED)
        else:
            made.optuna.tell(trial, list(given))
    return made.slots.finished(len(values))


@contextmanager
def sending(made: SweepStudy) -> Iterator[StudyRun]:
    """The study's run, and at the end everything uploaded."""
    uri = resolve_uri(None, made.store.root)
    with Tracker(uri, made.store.root, made.experiment, print) as tracker:
        yield StudyRun(tracker, made.name, made.study_name, made.sweep, {"profile": "tiny"}, {})


def runs_of_trials(made: SweepStudy) -> dict[str, Run]:
    client = MlflowClient(resolve_uri(None, made.store.root))
    experiment = client.get_experiment_by_name(made.experiment)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    return {run.data.tags["sweep.trial"]: run for run in found if "sweep.trial" in run.data.tags}


@pytest.mark.parametrize("server", ["there", "away"])
def test_a_run_whose_worker_was_killed_before_it_sent_the_end_is_ended(server: str, tmp_path: Path) -> None:
    made = study(tmp_path)
    made.store.root.mkdir(exist_ok=True)
    shutil.copy(database(), made.store.root / "mlflow.db")
    made.slots.fill(3, retry_failed=True)
    trials = [made.slots.take(3) for _ in range(3)]
    with sending(made) as study_run:
        for trial in trials:
            assert trial is not None
            run = study_run.trial(made.pipeline({trial_name(trial.number): trial.params}), made.store)
            if server == "there":
                trial.set_user_attr(RUN, run.run_id())
    complete, pruned, lost = filter(None, trials)
    made.optuna.tell(complete, [3.5])
    pruned.set_user_attr(PRUNED, "too much drift")
    pruned.report(-1.0, step=1)
    made.optuna.tell(pruned, state=TrialState.PRUNED)
    made.optuna.tell(lost, state=TrialState.FAIL)
    assert {run.info.status for run in runs_of_trials(made).values()} == {"RUNNING"}
    with sending(made) as study_run:
        send_rest(made, 3, study_run)
    runs = runs_of_trials(made)
    assert [run.info.status for _, run in sorted(runs.items())] == ["FINISHED", "FINISHED", "FAILED"]
    assert [run.data.tags["sweep.state"] for _, run in sorted(runs.items())] == ["complete", "pruned", "lost"]
    assert runs["trial-000"].data.metrics == {"objective/background_psnr_late": 3.5}
    assert runs["trial-001"].data.tags["sweep.pruned"] == "too much drift"
    assert runs["trial-001"].data.metrics == {}
    with sending(made) as study_run:
        assert [study_run.lacks(trial.user_attrs.get(RUN)) for trial in made.optuna.trials] == [server == "away"] * 3


BOTH = (Objective("background_psnr"), Objective("colour_drift", "minimize"))


@pytest.mark.parametrize(
    ("objectives", "values", "best"),
    [
        (MIXED.objectives, [(1.0,), (3.0,), (2.0,), (3.0,)], [1]),
        (BOTH, [(1.0, 5.0), (3.0, 6.0), (2.0, 6.0), (0.5, 1.0)], [1, 0, 3]),
    ],
)
def test_the_best_trials(
    objectives: tuple[Objective, ...], values: list[tuple[float, ...]], best: list[int], tmp_path: Path
) -> None:
    made = study(tmp_path, objectives)
    assert [trial.number for trial in best_trials(made, finished(made, values))] == best


def test_the_table_and_the_experiment_hold_every_trial(tmp_path: Path) -> None:
    made = study(tmp_path)
    trials = finished(made, [(1.0,), (3.0,), None, (2.0,)])
    write_trials(made, trials, tmp_path)
    rows = list(csv.DictReader((tmp_path / "trials.csv").open()))
    assert [row["state"] for row in rows] == ["complete", "complete", "pruned", "complete"]
    assert (rows[2]["background_psnr late"], rows[2]["pruned"], rows[2]["forecast low"]) == (
        "",
        "too much drift",
        "0.5",
    )
    assert json.loads((tmp_path / "trials.json").read_text())["trials"][0]["bank.capacity"] == 500
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    path = write_experiment(made, complete, tmp_path)
    experiment = load_experiment(f"{path}:sweep_mixed", EXPERIMENTS)
    assert [dict(variant.set) for variant in experiment.variants] == [trial.params for trial in complete]
    assert (experiment.baseline, experiment.seeds) == ("trial-000", (100,))


def test_what_the_command_set_is_in_the_experiment_too(tmp_path: Path) -> None:
    given = ("train.steps=5", "tracking.uri=http://me:PW@host")
    made = SweepStudy("mixed", MIXED, SweepRequest(overrides=given, profile="tiny"), tmp_path / "runs")
    path = write_experiment(made, finished(made, [(1.0,)]), tmp_path)
    assert "--profile tiny" in path.read_text()
    assert "PW" not in path.read_text()
    experiment = load_experiment(f"{path}:sweep_mixed", EXPERIMENTS)
    written = build(Request(experiment, str(path), "tiny"), tmp_path / "hashes.json")
    studied = made.pipeline({variant.name: variant.set for variant in experiment.variants})
    assert [child.train for child in written.children] == [child.train for child in studied.children]
    assert [child.generate for child in written.children] == [child.generate for child in studied.children]


def test_studies_that_are_not_made_alike_have_different_names(tmp_path: Path) -> None:
    names = [
        SweepStudy("mixed", MIXED, SweepRequest(**words), tmp_path / "runs").study_name  # type: ignore[arg-type]
        for words in ({}, {"seed": 101}, {"overrides": ("train.steps=5",)}, {"sampler": "random"}, {"pruner": "none"})
    ]
    assert len({*names[:3]}) == 3
    assert names[0] == names[3] == names[4]
    assert study(tmp_path, BOTH).study_name not in names
    more = replace(MIXED, known=(*MIXED.known, {"bank.capacity": 7}))
    assert SweepStudy("mixed", more, SweepRequest(), tmp_path / "runs").study_name not in names


def test_studies_of_one_sweep_have_folders_and_reports_of_their_own(tmp_path: Path) -> None:
    def opened(sweep: Sweep = MIXED, **words: object) -> SweepStudy:
        return SweepStudy("mixed", sweep, SweepRequest(**words), tmp_path / "runs")  # type: ignore[arg-type]

    first, longer = opened(), opened(overrides=("train.steps=5",))
    assert (first.folder.name, first.title("sweep_", "_best")) == ("mixed", "sweep_mixed_best")
    assert (longer.folder.name, longer.title("sweep_")) == ("mixed-train.steps=5", "sweep_mixed-train.steps=5")
    assert opened(seed=7).folder.name == "mixed-seeds=7"
    edited = opened(replace(MIXED, known=()))
    assert edited.folder.name.startswith("mixed-")
    assert len({one.folder for one in (first, longer, edited)}) == 3
    assert [opened().folder, opened(replace(MIXED, known=())).folder] == [first.folder, edited.folder]


@pytest.mark.slow
def test_the_page_of_a_study_has_its_pictures_first_and_every_trial_with_its_settings(tmp_path: Path) -> None:
    made = study(tmp_path)
    trials = finished(made, [(float(value),) for value in (1, 3, 2, 5, 4, 2, 6, 3, 1, 4, 2)] + [None])
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    figures = draw(made.optuna.directions, trials, [], ["background_psnr late"], made.folder)
    assert [name for name, _ in figures] == ["history", "importance", "slice", "contour"]
    shares = next(figure for name, figure in figures if name == "importance").axes[0]
    assert "95 % interval over trials drawn anew" in shares.get_title(loc="left")
    assert all(re.fullmatch(r" 0\.\d\d \(0\.\d\d to [01]\.\d\d\)", text.get_text()) for text in shares.texts)
    with undrawn():
        path = write_page(made, trials, best_trials(made, complete), figures, {"sweep_mixed": made.folder / "films"})
    text = path.read_text()
    assert "trial 6: background_psnr late = 6 with" in text
    assert 'href="films/report.html"' in text
    places = [
        text.index(part)
        for part in ("<h1>Which bank?", 'aria-label="history"', 'aria-label="importance"', "<h2>Trials")
    ]
    assert places == sorted(places)
    assert "12 trials: 11 complete, 1 pruned." in text
    for key in MIXED.space:
        assert f'<th scope="col">{key}</th>' in text
    assert text.count('<th scope="row">') == 12
    assert "<script" not in text
