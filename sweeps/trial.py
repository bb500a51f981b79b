"""One trial: shorter trainings where it is halved, its stages up to the forecast, then, if it is worth them, its films and
their scores."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from optuna.study import StudyDirection
from optuna.trial import Trial, TrialState

from harness.core.store import Store
from harness.plan.child import Child
from harness.plan.pipeline import Pipeline
from harness.results.forecast import clips_of, forecast_of
from harness.run.console import Console
from harness.run.local import Executor
from harness.run.schedule import Event, Running, run
from reports.statistics.forecast import Interval
from sweeps.halving import CLIMBED, reason_to_stop, resource
from sweeps.pruning import LATE_FORECAST, PRUNED, reason_to_prune
from sweeps.publish import TrialRun
from sweeps.storage import tell
from sweeps.sweep import Sweep
from sweeps.values import value

SIGNATURE, SIGNATURES, RUN = "harness.signature", "harness.signatures", "harness.mlflow_run"


class TrialError(Exception):
    """A trial that gives no value; the message is one line."""


@dataclass(frozen=True)
class TrialExecution:
    """A trial in hand, and all that it takes to carry it out."""

    trial: Trial
    pipeline: Pipeline
    rungs: Sequence[Pipeline]
    sweep: Sweep
    store: Store
    executor: Executor
    console: Console
    trial_run: TrialRun
    prune: bool
    say: Callable[[str], None]

    def carry_out(self) -> None:
        """Run the trial's stages and tell the study how it ended.

        Raises TrialError for a trial without a value, UpdateFinishedTrialError for one that another worker has taken over.
        """
        self._note()
        if (reason := self._climb() or self._forecast()) is not None:
            self.trial.set_user_attr(PRUNED, reason)
            self._end(pruned=reason)
            return
        self._run(
            self.pipeline, (node.signature for node in self.pipeline.graph if node.signature != self.pipeline.report)
        )
        self._end(self._values())

    @property
    def child(self) -> Child:
        """Its one variant and seed."""
        return self.pipeline.children[0]

    def _note(self) -> None:
        """Tell the study what the trial is made of, and which run of MLflow is its own, before anything can fail."""
        child, track = self.child, self.sweep.track
        self.trial.set_user_attr(SIGNATURE, child.generate[track])
        signatures = {
            "train": list(child.train.values()),
            "forecast": child.forecast.get(track),
            "generate": child.generate[track],
            "score": dict(child.score[track]),
        }
        self.trial.set_user_attr(SIGNATURES, signatures)
        if (run_id := self.trial_run.run_id()) is not None:
            self.trial.set_user_attr(RUN, run_id)

    def _run(self, pipeline: Pipeline, wanted: Iterable[str]) -> None:
        graph = pipeline.graph.upto(wanted)
        self.console.total += sum(not self.store.done(node.kind, node.signature) for node in graph)

        def tick(running: list[Running]) -> None:
            self.console.tick(running)
            self.trial_run.update()

        def show(event: Event) -> None:
            if event.state != "cached":
                self.console.event(event)

        outcome = run(graph, self.store, self.executor, show, tick)
        for event in outcome.failed.values():
            raise TrialError(f"{event.node.kind}: {event.message}")

    def _forecast(self) -> str | None:
        """Tell the study of the forecast; why it makes the films not worth their while, None if it does not."""
        if self.sweep.track not in self.child.forecast:
            return None
        late = self._late(self.pipeline)
        low = late.value if math.isnan(late.low) else late.low  # of one film nothing is known but the value
        self.trial.set_user_attr(LATE_FORECAST, {"value": late.value, "low": low, "high": max(late.value, late.high)})
        study = self.trial.study
        self._report(late.value, len(self.rungs))
        return reason_to_prune(study, study.get_trials(deepcopy=False)[self.trial.number]) if self.prune else None

    def _climb(self) -> str | None:
        """Run the shorter trainings; why one of them makes the whole one not worth its while, None if none does."""
        climbed: list[float] = []
        for number, rung in enumerate(self.rungs):
            climbed.append(self._late(rung).value)
            self.trial.set_user_attr(CLIMBED, climbed)
            self._report(climbed[-1], number)
            steps = rung.children[0].resolved.settings.train.steps
            if (reason := reason_to_stop(self.trial, steps)) is not None:
                return reason
        return None

    def _late(self, pipeline: Pipeline) -> Interval:
        """Run a training and its forecast: of the error at the late clips of the whole film."""
        (child,) = pipeline.children
        signature = child.forecast[self.sweep.track]
        self._run(pipeline, [signature])
        try:
            return forecast_of(self.store, [signature], clips_of(pipeline, child, self.sweep.track)).late
        except ValueError as error:
            raise TrialError(f"its forecast: {error}") from error

    def _report(self, late: float, rung: int) -> None:
        study = self.trial.study
        if len(study.directions) == 1:  # Optuna takes no reports of several objectives
            # In the study's direction, so that a sampler that learns from pruned trials learns the right way round.
            self.trial.report(-late if study.direction == StudyDirection.MAXIMIZE else late, resource(rung))

    def _values(self) -> list[float]:
        try:
            values = [value(self.store, self.child, self.sweep.track, objective) for objective in self.sweep.objectives]
        except ValueError as error:
            raise TrialError(str(error)) from error
        if not all(map(math.isfinite, values)):
            raise TrialError(f"its objectives are {values}, which cannot be compared")
        return values

    def _end(self, values: Sequence[float] = (), pruned: str | None = None) -> None:
        named = self.sweep.named(values)
        tell(self.trial, TrialState.PRUNED if pruned else TrialState.COMPLETE, values or None)
        self.trial_run.finish(named, pruned)
        shown = f"pruned: {pruned}" if pruned else ", ".join(f"{name} {value:.4g}" for name, value in named.items())
        self.say(f"trial {self.trial.number}: {shown}")
