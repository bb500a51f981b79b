"""What a study leaves: reports of its trials, a table, figures, and its trials as an experiment that can be run."""

import csv
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from optuna.trial import FrozenTrial, TrialState

from harness.core.atomic import replacing, write_json
from harness.core.errors import UseError
from harness.declare.spec import SECRET
from harness.plan.child import Child
from harness.plan.kinds import REPORT, SCORE
from harness.results.reports import finish_run
from harness.results.runs import RunRecord
from harness.run.local import Executor
from harness.run.schedule import run
from reports.artifacts import PAGE as REPORT_PAGE
from reports.tables.text import inert
from sweeps.pruning import LATE_FORECAST, PRUNED
from sweeps.publish import LOST, StudyRun
from sweeps.slots import KNOWN
from sweeps.study import BEST, SweepStudy, trial_name
from sweeps.trial import RUN, SIGNATURE

PAGE = "study.html"


def conclude(
    study: SweepStudy, count: int, executor: Executor, study_run: StudyRun, say: Callable[[str], None]
) -> None:
    """Write all of it for the first `count` slots, and say where it is and which trial is best."""
    from sweeps.figures import draw  # it loads matplotlib, which what is refused can do without

    finished = study.slots.finished(count)
    complete = [trial for trial in finished if trial.state == TrialState.COMPLETE]
    folder = study.folder
    write_trials(study, finished, folder)
    best = best_trials(study, complete)
    figures = draw(study.optuna.directions, finished, best, [one.name for one in study.sweep.objectives], folder)
    send_rest(study, count, study_run)
    if not complete:
        study_run.finish({"study": folder}, complete=False)
        return
    experiment = write_experiment(study, complete, folder)
    known = [trial for trial in complete if KNOWN in trial.user_attrs]
    reports = {
        study.title("sweep_"): _report(study, "", complete, experiment, executor),
        study.title("sweep_", BEST): _report(study, BEST, [*known, *best], experiment, executor),
    }
    sent = {name: path for name, path in reports.items() if path is not None}
    page = write_page(study, finished, best, figures, sent)
    study_run.finish({"study": folder, **sent}, complete=len(finished) == count)
    for trial in best:
        values = zip(study.sweep.objectives, trial.values, strict=True)
        shown = ", ".join(f"{objective.name} {value:.4g}" for objective, value in values)
        say(f"{'best' if len(best) == 1 else 'on the front'}: trial {trial.number}, {shown} at {trial.params}")
    pruned = len(finished) - len(complete)
    say(f"{len(finished)} trials finished, {pruned} of them pruned: {folder / 'trials.csv'}, figures beside it")
    for name in sent:
        say(f"films: harness report {name} --format html --store {study.store.root}")
    say(f"study: {study.storage.dashboard}")
    say(f"page: {page}")


def send_rest(study: SweepStudy, count: int, study_run: StudyRun) -> None:
    """End the runs of trials that are over and whose workers did not get to it: killed, or MLflow's server was away."""
    for trial in (*study.slots.finished(count), *study.slots.lost(count)):
        if trial.params and study_run.lacks(trial.user_attrs.get(RUN)):
            run = study_run.trial(study.pipeline({trial_name(trial.number): trial.params}), study.store)
            if trial.state == TrialState.FAIL:
                run.end("FAILED", {"sweep.state": LOST})
            else:
                values = trial.values if trial.state == TrialState.COMPLETE else []  # a pruned one's is its forecast
                run.finish(study.sweep.named(values), trial.user_attrs.get(PRUNED))


def best_trials(study: SweepStudy, complete: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The best trial, or the trials of the Pareto front, best of the first objective first."""
    signs = [1 if objective.direction == "maximize" else -1 for objective in study.sweep.objectives]
    scored = [([sign * value for sign, value in zip(signs, trial.values, strict=True)], trial) for trial in complete]

    def beaten(values: list[float]) -> bool:
        return any(other != values and all(map(float.__ge__, other, values)) for other, _ in scored)

    front = sorted((pair for pair in scored if not beaten(pair[0])), key=lambda pair: (pair[0], -pair[1].number))[::-1]
    return [trial for _, trial in front][: 1 if len(signs) == 1 else None]


def write_trials(study: SweepStudy, trials: Sequence[FrozenTrial], folder: Path) -> None:
    """trials.json, and trials.csv: a row each."""
    rows = [_row(study, trial) for trial in trials]
    about = {"study": study.study_name, "storage": study.storage.shown, "question": study.sweep.question}
    write_json(folder / "trials.json", {**about, "trials": rows})
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with replacing(folder / "trials.csv") as fresh, fresh.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {key: inert(value) if isinstance(value, str) else value for key, value in row.items()} for row in rows
        )


def write_page(
    study: SweepStudy,
    trials: Sequence[FrozenTrial],
    best: Sequence[FrozenTrial],
    figures: Sequence[tuple[str, Any]],
    reports: Mapping[str, Path],
) -> Path:
    """study.html: the pictures, and every trial with its settings."""
    from reports.page.study import Study, study_page

    path = study.folder / PAGE
    about = Study(
        name=study.name,
        question=study.sweep.question,
        settings=list(study.sweep.space),
        objectives=[objective.name for objective in study.sweep.objectives],
        trials=[_row(study, trial) for trial in trials],
        best=[trial.number for trial in best],
        figures=figures,
        reports=[(name, quote(os.path.relpath(folder / REPORT_PAGE, path.parent))) for name, folder in reports.items()],
    )
    with replacing(path) as fresh:
        fresh.write_text(study_page(about), encoding="utf-8")
    return path


def _row(study: SweepStudy, trial: FrozenTrial) -> dict[str, Any]:
    attributes = trial.user_attrs
    forecast: Mapping[str, float] = attributes.get(LATE_FORECAST, {})
    # Optuna takes what a pruned trial reported last, its forecast, for its value.
    complete = trial.state == TrialState.COMPLETE
    values = trial.values if complete else [None] * len(study.sweep.objectives)
    return {
        "trial": trial.number,
        "state": trial.state.name.lower(),
        **trial.params,
        **{objective.name: value for objective, value in zip(study.sweep.objectives, values, strict=True)},
        **{f"forecast {key}": forecast.get(key) for key in ("value", "low", "high")},
        "pruned": attributes.get(PRUNED),
        "films": attributes.get(SIGNATURE),
        "mlflow_run": attributes.get(RUN),
    }


def write_experiment(study: SweepStudy, complete: Sequence[FrozenTrial], folder: Path) -> Path:
    """The trials as an experiment's file, so that each can be planned, run and reported like any variant."""
    experiment, track, seed = study.experiment, study.sweep.track, study.asked.seed
    # Where results are logged is the next command's own to say, and no file is the place for its credentials.
    settings = {key: value for key, value in study.overrides.items() if key != SECRET}
    lines = [
        f'"""Trials of the study {study.study_name}; written by `harness sweep`. Run it with --profile {study.asked.profile}."""',
        "",
        "from harness import Variant, experiment",
        "",
        "",
        "@experiment(",
        f"    baseline={trial_name(complete[0].number)!r},",
        f"    tracks=({track!r},),",
        f"    seeds=({seed},),",
        "    trivial=False,",
        f"    settings={settings!r},",
        ")",
        f"def {experiment}():",
        f"    {study.sweep.question!r}",
        *(f"    yield Variant({trial_name(trial.number)!r}, {trial.params!r})" for trial in complete),
        "",
    ]
    path = folder / f"{experiment}.py"
    with replacing(path) as fresh:
        fresh.write_text("\n".join(lines), encoding="utf-8")
    return path


def _report(
    study: SweepStudy, after: str, trials: Sequence[FrozenTrial], experiment: Path, executor: Executor
) -> Path | None:
    """A report of the trials whose films are in this store, for other workers may have their own; None if none are."""
    variants = {trial_name(trial.number): trial.params for trial in trials}
    planned = study.pipeline(variants)
    here = {child.variant.name: variants[child.variant.name] for child in planned.children if _scored(study, child)}
    if not here:
        return None
    pipeline = study.pipeline(here, f"{experiment}:{study.experiment}", after)
    record = RunRecord.of(pipeline)
    outcome = run(pipeline.graph, study.store, executor, lambda _: None, lambda _: None)
    for event in outcome.failed.values():
        raise UseError(f"the report {record.name} was not written: {event.message}; the same command tries again")
    finish_run(study.store, record)
    return study.store.artifact(REPORT.name, pipeline.report)


def _scored(study: SweepStudy, child: Child) -> bool:
    return all(study.store.done(SCORE.name, signature) for signature in child.score[study.sweep.track].values())
