"""One trial: its stages up to the forecast, then, if it is worth them, its films and their scores."""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import Trial, TrialState

from harness.console import Console
from harness.executors import Local
from harness.pipeline import Child, Pipeline
from harness.plan import Graph
from harness.run import Event, Running, run
from harness.store import Store
from sweeps.places import FAILED
from sweeps.pruning import PRUNED
from sweeps.publish import Record
from sweeps.sweep import Sweep
from sweeps.values import value

SIGNATURE, SIGNATURES, RUN = "harness.signature", "harness.signatures", "harness.mlflow_run"


class AttemptError(Exception):
    """A trial that gives no value; the message is one line."""


@dataclass(frozen=True)
class Attempt:
    """A trial in hand, and all that it takes to carry it out."""

    trial: Trial
    pipeline: Pipeline
    sweep: Sweep
    store: Store
    executor: Local
    console: Console
    record: Record
    prune: bool
    say: Callable[[str], None]

    def carry_out(self) -> None:
        """Run the trial's stages and tell the study how it ended.

        Raises AttemptError for a trial without a value, UpdateFinishedTrialError for one that another worker has taken over.
        """
        self._note_signatures()
        self._run(self._until_forecast())
        if (reason := self._reason_to_prune()) is not None:
            self.trial.set_user_attr(PRUNED, reason)
            self._end(TrialState.PRUNED, None, f"pruned: {reason}")
            return
        self._run(node.signature for node in self.pipeline.graph if node.signature != self.pipeline.report)
        values = self._values()
        shown = ", ".join(f"{o.name} {v:.4g}" for o, v in zip(self.sweep.objectives, values, strict=True))
        self._end(TrialState.COMPLETE, values, shown)

    def give_up(self, reason: str | None) -> None:
        """End without a value; no reason is a worker that leaves, whose trial another may carry out."""
        try:
            if reason is not None:
                self.trial.set_user_attr(FAILED, reason)
            self.trial.study.tell(self.trial, state=TrialState.FAIL)
        except (UpdateFinishedTrialError, ValueError):
            return
        self.record.end("FAILED", {"sweep.state": "failed" if reason else "given back"})
        self.say(f"trial {self.trial.number}: {f'failed: {reason}' if reason else 'given back'}")

    @property
    def child(self) -> Child:
        """Its one variant and seed."""
        return self.pipeline.children[0]

    def _note_signatures(self) -> None:
        child, track = self.child, self.sweep.track
        self.trial.set_user_attr(SIGNATURE, child.generate[track])
        signatures = {
            "train": list(child.train.values()),
            "generate": child.generate[track],
            "score": dict(child.score[track]),
        }
        self.trial.set_user_attr(SIGNATURES, signatures)

    def _until_forecast(self) -> Iterable[str]:
        return self.child.train.values()

    def _run(self, wanted: Iterable[str]) -> None:
        graph = _closure(self.pipeline.graph, wanted)
        self.console.total += sum(not self.store.done(node.kind, node.signature) for node in graph)

        def tick(running: list[Running]) -> None:
            self.console.tick(running)
            self.record.update()

        def show(event: Event) -> None:
            if event.state != "cached":
                self.console.event(event)

        outcome = run(graph, self.store, self.executor, show, tick)
        for event in outcome.failed.values():
            raise AttemptError(f"{event.node.kind}: {event.message}")

    def _reason_to_prune(self) -> str | None:
        return None

    def _values(self) -> list[float]:
        try:
            values = [value(self.store, self.child, self.sweep.track, objective) for objective in self.sweep.objectives]
        except ValueError as error:
            raise AttemptError(str(error)) from error
        if not all(map(math.isfinite, values)):
            raise AttemptError(f"its objectives are {values}, which cannot be compared")
        return values

    def _end(self, state: TrialState, values: list[float] | None, summary: str) -> None:
        named = dict(zip((o.name for o in self.sweep.objectives), values or (), strict=False))
        tags = {"sweep.state": state.name.lower()} | ({"sweep.pruned": summary} if state == TrialState.PRUNED else {})
        if (run_id := self.record.run_id()) is not None:
            self.trial.set_user_attr(RUN, run_id)
        self.trial.study.tell(self.trial, values, state=state)
        self.record.end("FINISHED", tags, named)
        self.say(f"trial {self.trial.number}: {summary}")


def _closure(graph: Graph, wanted: Iterable[str]) -> Graph:
    """The wanted stages and all that they stand on."""
    needed, left = set[str](), list(wanted)
    while left:
        signature = left.pop()
        if signature not in needed:
            needed.add(signature)
            left += graph[signature].needs
    part = Graph()
    for node in graph:
        if node.signature in needed:
            part.add(node)
    return part
