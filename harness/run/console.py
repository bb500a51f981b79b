"""What a run shows: one bar for all and one a stage under way on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console as Terminal
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from harness.core.graph import Node
from harness.core.store import stage_name
from harness.core.text import duration
from harness.run.pace import Expected, Pace
from harness.run.schedule import Event, Running, how_far

LINE_EVERY = 30.0  # seconds between lines of progress where there is no terminal
OFTEN = 5.0  # the same, VERBOSE
QUIET, VERBOSE = -1, 1


class Console:
    """Follows the events of a run of `total` stages. QUIET: failures alone; VERBOSE: more often, and where each stage works."""

    def __init__(self, total: int, expected: Expected | None = None, verbosity: int = 0) -> None:
        self.total = total
        self.done = 0
        self.cached = 0
        self.verbosity = verbosity
        self.pace = Pace(expected) if expected else None
        self.terminal = Terminal(file=sys.stderr)
        self.bars = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[text]}", markup=False),
            console=self.terminal,
            transient=True,
        )
        self.tasks: dict[str, TaskID] = {}
        self.overall = self.bars.add_task("all stages", total=1.0, text="")
        self.running: Sequence[Running] = ()
        self.begun = self.last_line = time.monotonic()

    def __enter__(self) -> Self:
        if self.terminal.is_terminal and self.verbosity > QUIET:
            self.bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bars.live.is_started:
            self.bars.stop()
        if kind is None and self.cached:
            self.say(f"{self.cached} of {self.total} stages were done already")

    @property
    def seconds(self) -> float:
        """Since the run began."""
        return time.monotonic() - self.begun

    def say(self, line: str) -> None:
        """One plain line, above the bars, unless it shall be quiet."""
        if self.verbosity > QUIET:
            self._print(line)

    def _print(self, line: str) -> None:
        self.terminal.print(line, markup=False, highlight=False, soft_wrap=True)

    def event(self, event: Event) -> None:
        """A stage changed its state."""
        name = event.node.name
        if event.state == "started":
            self._started(event.node, name)
            return
        self.done += 1
        if self.pace is not None:
            self.pace.ended(event.node.signature)
        if event.state == "cached":
            self.cached += 1
            return
        task = self.tasks.pop(event.node.signature, None)
        if task is not None:
            self.bars.remove_task(task)
        if event.state == "finished":
            self.say(f"[{self.done}/{self.total}] {name}: finished, {duration(event.seconds)}")
        else:
            self._print(f"[{self.done}/{self.total}] {name}: {event.state}, {event.message}")
        self._show_overall()

    def _started(self, node: Node, name: str) -> None:
        self.tasks[node.signature] = self.bars.add_task(f"  {name}", total=None, text="")
        where = f" in partial/{stage_name(node.kind, node.signature)}" if self.verbosity == VERBOSE else ""
        if where or not self.terminal.is_terminal:
            self.say(f"[{self.done}/{self.total}] {name}{where}")

    def tick(self, running: list[Running]) -> None:
        """Show how far the running stages are."""
        self.running = running
        known = [(r.node, r.progress) for r in running if r.progress is not None]
        for node, progress in known:
            if (task := self.tasks.get(node.signature)) is not None:
                self.bars.update(task, completed=progress["done"], total=progress["total"], text=_text(progress))
        self._show_overall()
        often = OFTEN if self.verbosity == VERBOSE else LINE_EVERY
        if self.terminal.is_terminal or time.monotonic() - self.last_line < often:
            return
        self.last_line = time.monotonic()
        for node, progress in known:
            self.say(f"    {node.name}: {_text(progress)}")
        self.say(f"    all stages: {self._overall()[1]}")

    def _show_overall(self) -> None:
        share, text = self._overall()
        self.bars.update(self.overall, completed=share, text=text)

    def _overall(self) -> tuple[float, str]:
        """The share that is done, and such as "4 of 10, about 12 min left"."""
        counted = f"{self.done} of {self.total}"
        at = self.pace.at(self.running) if self.pace is not None else None
        if at is None:
            return self.done / max(1, self.total), counted
        return at[0], f"{counted}, about {duration(at[1])} left"


def _text(progress: Mapping[str, Any]) -> str:
    """Such as "clip 3/50, about 12 min left", or "codec step 3/50, about 12 min, then step"."""
    then = f", then {progress['then']}" if progress.get("then") else ""  # a file of an earlier version has none
    if (pace := progress.get("pace")) is None:
        return how_far(progress) + then
    left = duration(pace * (progress["total"] - progress["done"]))
    return f"{how_far(progress)}, about {left}{then or ' left'}"
