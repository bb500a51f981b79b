"""Carries a graph out: what is ready runs, by priority; what failed stops only what needs it."""

import heapq
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from harness.core.errors import GOES_ON, Interrupted
from harness.core.graph import Graph, Node
from harness.core.store import PROGRESS, Store
from harness.core.use import in_use
from harness.run.local import Executor

TICK = 1.0  # seconds
EXIT_FAILED = 1  # of a command some of whose stages failed


@dataclass(frozen=True)
class Event:
    """A stage changed its state: `seconds` is how long it ran in this command, `message` why it failed or waits."""

    node: Node
    state: Literal["started", "finished", "cached", "failed", "blocked"]
    message: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Running:
    """A stage under way: the seconds since it started, and its progress.json if it has written one."""

    node: Node
    seconds: float
    progress: dict[str, Any] | None


@dataclass(frozen=True)
class Outcome:
    """How every stage ended: by state, the last event of each signature."""

    finished: dict[str, Event] = field(default_factory=dict)
    cached: dict[str, Event] = field(default_factory=dict)
    failed: dict[str, Event] = field(default_factory=dict)
    blocked: dict[str, Event] = field(default_factory=dict)


def run(
    graph: Graph,
    store: Store,
    executor: Executor,
    on_event: Callable[[Event], None],
    on_tick: Callable[[list[Running]], None],
) -> Outcome:
    """Run all stages that are not done. On an error of the command, also Ctrl-C, the executor lets go of what runs.

    Raises Interrupted on Ctrl-C and SIGTERM; its message says what is finished and how far the rest has come. Raises UseError
    where the result of a stage is damaged.
    """
    with in_use(store.locks), _signals() as seen:
        schedule = _Schedule(graph, store, executor, on_event, on_tick)
        try:
            outcome = schedule.carry_out(seen)
        except BaseException:
            executor.close()
            raise
        if outcome is None:
            print("ending what runs; a moment, please", file=sys.stderr, flush=True)
            executor.close()
            raise Interrupted(seen[0], f"{schedule.so_far()}. {GOES_ON}")
        return outcome


@contextmanager
def _signals() -> Iterator[list[int]]:
    """Note Ctrl-C and SIGTERM instead of raising at any line: an exception inside a future's lock would hang the command."""
    seen: list[int] = []
    if threading.current_thread() is not threading.main_thread():  # where Python allows no handlers
        yield seen
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda number, _: seen.append(number)) for number in numbers}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class _Schedule:
    def __init__(
        self,
        graph: Graph,
        store: Store,
        executor: Executor,
        on_event: Callable[[Event], None],
        on_tick: Callable[[list[Running]], None],
    ) -> None:
        self.graph, self.store, self.executor = graph, store, executor
        self.on_event, self.on_tick = on_event, on_tick
        self.outcome = Outcome()
        self.ready: list[tuple[int, int, Node]] = []  # highest priority first, then in the order of the graph
        self.running: dict[Future[None], tuple[Node, float]] = {}
        self.order = {node.signature: position for position, node in enumerate(graph)}
        self.users: dict[str, list[Node]] = {signature: [] for signature in self.order}
        for node in graph:
            for needed in node.needs:
                self.users[needed].append(node)
        self.waiting = {node.signature: len(node.needs) for node in graph}
        cached = [node for node in graph if store.done(node.kind, node.signature)]
        for node in cached:
            store.verify(node.kind, node.signature)
        self.outcome.cached.update({node.signature: Event(node, "cached") for node in cached})
        for node in cached:
            self._end(self.outcome.cached[node.signature])
        for node in graph:
            if not node.needs:
                self._queue(node)

    def carry_out(self, signals: Sequence[int]) -> Outcome | None:
        """How every stage ended; None as soon as there was a signal."""
        last = time.monotonic()
        while self.ready or self.running:
            self._start_ready()
            finished, _ = wait(
                self.running, timeout=max(0.0, last + TICK - time.monotonic()), return_when=FIRST_COMPLETED
            )
            if signals:  # what ended just now may have ended of the same Ctrl-C
                return None
            for future in finished:
                self._collect(future)
            if time.monotonic() - last >= TICK:
                last = time.monotonic()
                self.on_tick([self._look(node, started) for node, started in self.running.values()])
        return None if signals else self.outcome

    def so_far(self) -> str:
        """What is finished, and how far what was under way has come, for people."""
        done = sum(self.store.done(node.kind, node.signature) for node in self.graph)
        looks = [self._look(node, started) for node, started in self.running.values()]
        open_ = [f"{at.node.name} ({how_far(at.progress)})" for at in looks if at.progress]
        begun = f", and what was under way: {', '.join(open_)}" if open_ else ""
        return f"{done} of {len(self.graph)} stages are finished and kept{begun}"

    def _queue(self, node: Node) -> None:
        if node.signature not in self.outcome.cached:
            heapq.heappush(self.ready, (-node.priority, self.order[node.signature], node))

    def _start_ready(self) -> None:
        """Fill the free slots. A stage of several ranks takes as many; slots may stay free until there are enough."""
        while self.ready:
            node = self.ready[0][-1]
            taken = sum(self._width(running) for running, _ in self.running.values())
            if taken + self._width(node) > self.executor.slots:
                return
            heapq.heappop(self.ready)
            self.on_event(Event(node, "started"))
            self.running[self.executor.submit(self.store, node)] = (node, time.monotonic())

    def _width(self, node: Node) -> int:
        return min(node.ranks, self.executor.slots)

    def _collect(self, future: Future[None]) -> None:
        node, started = self.running.pop(future)
        seconds, error = time.monotonic() - started, future.exception()
        if error is None:
            self.outcome.finished[node.signature] = Event(node, "finished", seconds=seconds)
            self._end(self.outcome.finished[node.signature])
            return
        message = str(error) or type(error).__name__
        self.outcome.failed[node.signature] = Event(node, "failed", message, seconds)
        self.on_event(self.outcome.failed[node.signature])
        self._block(node, f"needs {node.name}, which failed")  # why is told once

    def _end(self, event: Event) -> None:
        """A stage is done: its users may be ready now."""
        self.on_event(event)
        for user in self.users[event.node.signature]:
            self.waiting[user.signature] -= 1
            if not self.waiting[user.signature]:
                self._queue(user)

    def _block(self, node: Node, message: str) -> None:
        for user in self.users[node.signature]:
            if user.signature not in self.outcome.blocked and user.signature not in self.outcome.cached:
                self.outcome.blocked[user.signature] = Event(user, "blocked", message)
                self.on_event(self.outcome.blocked[user.signature])
                self._block(user, message)

    def _look(self, node: Node, started: float) -> Running:
        progress = self.store.note(node.kind, node.signature, PROGRESS)
        return Running(node, time.monotonic() - started, progress)


def how_far(progress: Mapping[str, Any]) -> str:
    """Such as "clip 3/50"."""
    return f"{progress['unit']} {progress['done']}/{progress['total']}"
