"""What of a sweep goes into MLflow: a run for the study, and in it a run for each trial, with what any variant's run has."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from harness.core.store import Store
from harness.plan.pipeline import Pipeline
from harness.publish.publisher import Publisher
from harness.tracking import ExperimentPage, RunInfo, Tracker
from sweeps.sweep import Sweep

LOST = "lost"  # a trial whose worker died or left; another trial has its settings
PATIENCE = 15.0  # seconds for MLflow's word how a run is called, once; it is imported with the first


class StudyRun:
    """The study's run."""

    def __init__(
        self,
        tracker: Tracker,
        name: str,
        study: str,
        sweep: Sweep,
        params: Mapping[str, object],
        tags: Mapping[str, str],
    ) -> None:
        """`study` is the study's name, which all its workers share, and so its run."""
        self._tracker = tracker
        self._patience = PATIENCE
        objectives = "\n".join(f"- {objective.direction} `{objective.name}`" for objective in sweep.objectives)
        space = "\n".join(f"- `{key}`: {dimension}" for key, dimension in sweep.space.items())
        info = RunInfo(
            name=f"{name} · sweep · {params['profile']}",
            params=params,
            config={"study": study, "space": {key: repr(dimension) for key, dimension in sweep.space.items()}},
            tags={"sweep.study": study, "sweep.track": sweep.track, **tags},
            description=f"**{sweep.question}**\n\nOn `{sweep.track}`:\n\n{objectives}\n\nSearched:\n\n{space}",
        )
        self.run = tracker.parent(study, info)
        metrics = [_metric(objective.name) for objective in sweep.objectives]
        rising = sweep.objectives[0].direction == "minimize"
        tracker.page(self.run, ExperimentPage(sweep.question, name, metrics, list(sweep.space), rising))

    def trial(self, pipeline: Pipeline, store: Store) -> "TrialRun":
        """The run of one trial, nested in the study's."""
        return TrialRun(self._tracker, self, pipeline, store)

    def lacks(self, run_id: str | None) -> bool:
        """Whether the end of a trial's run is still to be sent: its worker was killed at that, or the server was away.

        What another store's workers have to send, they send themselves.
        """
        return run_id is None or self._tracker.left_open(run_id)

    def run_id(self, run: str) -> str | None:
        """MLflow's id of a run, waited for a moment; None while the server is away."""
        end = time.monotonic() + self._patience
        while (found := self._tracker.run_id(run)) is None and time.monotonic() < end:
            time.sleep(0.1)
        if found is None:
            self._patience = 0.0  # no trial shall wait for it again
        return found

    def finish(self, folders: Mapping[str, Path], complete: bool) -> None:
        """Send folders of results by their names, and end the run where every trial is finished."""
        for name, folder in folders.items():
            self._tracker.artifact(self.run, name, folder, name)
        if complete:
            self._tracker.finish(self.run, "FINISHED")


class TrialRun:
    """One trial's run."""

    def __init__(self, tracker: Tracker, study: StudyRun, pipeline: Pipeline, store: Store) -> None:
        self._tracker, self._study, self._pipeline, self._store = tracker, study, pipeline, store
        self._publisher = self._declare({"sweep.state": "running"})
        (self._run,) = self._publisher.runs.values()

    def update(self) -> None:
        """Send what is new of its stages."""
        self._publisher.update()

    def run_id(self) -> str | None:
        """MLflow's id, None while the server is away."""
        return self._study.run_id(self._run)

    def finish(self, values: Mapping[str, float], pruned: str | None) -> None:
        """End a complete trial with its objectives, or a pruned one with why."""
        complete = {"sweep.state": "complete"}
        self.end("FINISHED", {"sweep.state": "pruned", "sweep.pruned": pruned} if pruned else complete, values)

    def end(self, status: str, tags: Mapping[str, str], values: Mapping[str, float] = MappingProxyType({})) -> None:
        """Send the rest, how the trial ended, and its objectives."""
        self._publisher = self._declare(tags)
        self._publisher.update()
        if values:
            curves = {_metric(name): [(0, value)] for name, value in values.items()}
            # A time that a command which sends it again has as well.
            self._tracker.curve(self._run, "objectives", curves, identity=repr(sorted(values.items())), measured=0.0)
        (child,) = self._pipeline.children
        seconds = self._publisher.seconds(child.stages)
        self._tracker.finish(self._run, "FAILED" if status == "FAILED" else "FINISHED", seconds)

    def _declare(self, tags: Mapping[str, str]) -> Publisher:
        trial = self._pipeline.request.experiment.variants[0].name
        return Publisher(self._pipeline, self._store, self._tracker, self._study.run, {"sweep.trial": trial, **tags})


def _metric(objective: str) -> str:
    return f"objective/{objective.replace(' ', '_')}"
