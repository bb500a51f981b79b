"""Which stage runs when."""

import json
import threading
import time
from concurrent.futures import Future
from typing import Any

from harness.core.graph import Graph, Node
from harness.core.store import Store
from harness.run.local import Local
from harness.run.schedule import TICK, Event, Outcome, Running, run
from tests.harness.run.stage_functions import STEPS, graph, node, silent


class InOrder:
    """An executor that runs a stage when it is submitted and keeps the order; some stages fail."""

    def __init__(self, slots: int, failing: tuple[str, ...] = ()) -> None:
        self.slots, self.failing = slots, failing
        self.order: list[str] = []

    def submit(self, store: Store, one: Node) -> Future[None]:
        self.order.append(one.label)
        future: Future[None] = Future()
        if one.label in self.failing:
            future.set_exception(ValueError(f"{one.label} is broken"))
        else:
            store.begin(one.kind, one.signature)
            about: dict[str, Any] = {
                "version": 1,
                "identity": one.identity,
                "upstream": {},
                "seconds": 1,
                "created": "",
            }
            store.commit(one.kind, one.signature, about)
            future.set_result(None)
        return future

    def close(self) -> None:
        """Nothing is left running."""


def diamond() -> Graph:
    data = node("data", priority=40)
    trains = [node(f"train {i}", upstream={"data": data.signature}, priority=30) for i in (0, 1)]
    films = [node(f"film {i}", upstream={"train": t.signature}, priority=20) for i, t in enumerate(trains)]
    base = node("base film", upstream={"data": data.signature}, priority=20)
    report = node("report", upstream={"films": tuple(n.signature for n in (*films, base))})
    return graph(data, base, trains[0], films[0], trains[1], films[1], report)


def test_what_is_ready_runs_by_priority_then_in_order(store: Store) -> None:
    executor = InOrder(1)
    outcome = run(diamond(), store, executor, silent, silent)
    assert executor.order == ["data", "train 0", "train 1", "base film", "film 0", "film 1", "report"]
    assert len(outcome.finished) == 7


def test_a_second_run_does_nothing(store: Store) -> None:
    run(diamond(), store, InOrder(2), silent, silent)
    executor, events = InOrder(2), list[Event]()
    outcome = run(diamond(), store, executor, events.append, silent)
    assert executor.order == []
    assert (len(outcome.cached), len(outcome.finished)) == (7, 0)
    assert {event.state for event in events} == {"cached"}


def test_a_failure_stops_only_what_needs_it(store: Store) -> None:
    events: list[Event] = []
    outcome = run(diamond(), store, InOrder(1, failing=("train 0",)), events.append, silent)
    named = {s.label: s.signature for s in diamond()}
    assert list(outcome.failed) == [named["train 0"]]
    assert outcome.failed[named["train 0"]].message == "train 0 is broken"
    assert set(outcome.blocked) == {named["film 0"], named["report"]}
    assert outcome.blocked[named["report"]].message == "needs make train 0, which failed"
    assert {named["train 1"], named["film 1"], named["base film"]} <= set(outcome.finished)
    assert [e.state for e in events if e.node.label == "film 0"] == ["blocked"]
    # What is repaired goes on from there.
    repaired = InOrder(1)
    assert run(diamond(), store, repaired, silent, silent).failed == {}
    assert repaired.order == ["train 0", "film 0", "report"]


def test_what_is_cached_is_not_blocked_by_a_lost_and_failing_upstream(store: Store) -> None:
    first = node("first")
    second = node("second", upstream={"a": first.signature})
    run(graph(first, second), store, InOrder(1), silent, silent)
    store.artifact("make", first.signature).rename(store.root / "elsewhere")
    outcome = run(graph(first, second), store, InOrder(1, failing=("first",)), silent, silent)
    assert (list(outcome.failed), list(outcome.cached), outcome.blocked) == ([first.signature], [second.signature], {})


class Later(InOrder):
    """Stages take a moment; what runs side by side is kept."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.together: list[set[str]] = []
        self.now: set[str] = set()

    def submit(self, store: Store, one: Node) -> Future[None]:
        self.now.add(one.label)
        self.together.append(set(self.now))
        inner, outer = super().submit(store, one), Future[None]()

        def end() -> None:
            self.now.discard(one.label)
            outer.set_result(inner.result())

        threading.Timer(0.1, end).start()
        return outer


def test_stages_of_several_ranks_take_as_many_slots(store: Store) -> None:
    executor = Later(2)
    nodes = [node("a", priority=3), node("wide", ranks=8, priority=2), node("b", priority=1), node("c")]
    outcome = run(graph(*nodes), store, executor, silent, silent)
    assert executor.together == [{"a"}, {"wide"}, {"b"}, {"b", "c"}]
    assert len(outcome.finished) == 4


def test_running_stages_are_looked_at_about_once_a_second(store: Store, local: Local) -> None:
    one = node("slow", "step_by_step")
    looks: list[list[Running]] = []
    begun = time.monotonic()
    run(graph(one), store, local, silent, looks.append)
    seconds = time.monotonic() - begun
    progress = [r.progress for look in looks for r in look if r.progress]
    assert 1 <= len(looks) <= seconds / TICK  # however long a busy machine takes
    assert progress
    assert progress[-1]["total"] == STEPS
    assert progress[-1]["unit"] == "step"
    assert 0 < progress[-1]["done"] <= STEPS


def test_an_outcome_is_empty_for_an_empty_graph(store: Store, local: Local) -> None:
    assert run(Graph(), store, local, silent, silent) == Outcome()
    assert json.loads((store.root / "store.json").read_text()) == {"format": 1}
