"""What a run shows: progress bars on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console as Terminal
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from harness.core.graph import Node
from harness.core.text import duration
from harness.run.schedule import Event, Running, how_far

LINE_EVERY = 30.0  # seconds between lines of progress where there is no terminal


class Console:
    """Follows the events of a run."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.done = 0
        self.cached = 0
        self.terminal = Terminal(file=sys.stderr)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}"),
            TimeRemainingColumn(),
            console=self.terminal,
            transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        self.last_line = time.monotonic()

    def __enter__(self) -> Self:
        if self.terminal.is_terminal:
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.bars.stop()
        if kind is None and self.cached:
            self.say(f"{self.cached} of {self.total} stages were done already")

    def say(self, line: str) -> None:
        """One plain line, above the bars."""
        self.terminal.print(line, markup=False, highlight=False, soft_wrap=True)

    def event(self, event: Event) -> None:
        """A stage changed its state."""
        name = f"{event.node.kind} {event.node.label}"
        if event.state == "started":
            self.say(f"[{self.done}/{self.total}] {name}")
            return
        self.done += 1
        if event.state == "cached":
            self.cached += 1
            return
        task = self.tasks.pop(event.node.signature, None)
        if task is not None:
            self.bars.remove_task(task)
        tail = duration(event.seconds) if event.state == "finished" else event.message
        self.say(f"[{self.done}/{self.total}] {name}: {event.state}, {tail}")

    def tick(self, running: list[Running]) -> None:
        """Show how far the running stages are."""
        known = [(r.node, r.progress) for r in running if r.progress is not None]
        if self.terminal.is_terminal:
            for node, progress in known:
                self._bar(node, progress)
        elif time.monotonic() - self.last_line > LINE_EVERY:
            self.last_line = time.monotonic()
            for node, progress in known:
                self.say(f"    {node.kind} {node.label}: {_and_how_long(progress)}")

    def _bar(self, node: Node, progress: Mapping[str, Any]) -> None:
        key = node.signature
        if key not in self.tasks:
            name = f"{node.kind} {node.label}"
            self.tasks[key] = self.bars.add_task(name, total=progress["total"], unit=progress["unit"])
        self.bars.update(self.tasks[key], completed=progress["done"], total=progress["total"])


def _and_how_long(progress: Mapping[str, Any]) -> str:
    """Such as "clip 3/50, about 12 min left"."""
    done, total = progress["done"], progress["total"]
    left = (time.time() - progress["since"]) * (total / done - 1) if done else None
    return how_far(progress) if left is None else f"{how_far(progress)}, about {duration(left)} left"
