"""Stages on the real Slurm of these tests."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.core.graph import Graph, Node
from harness.core.store import Store
from harness.declare.settings import SlurmSettings
from harness.run.schedule import Outcome, Running, run
from harness.run.slurm.executor import Slurm
from harness.run.slurm.records import record_of
from harness.run.slurm.submission import Submitter

QUICK = SlurmSettings(poll_s=0.5, mem_gb=1)


def silent(_: object) -> None:
    """No listener."""


def submitter(experiment: str = "test", settings: SlurmSettings = QUICK, say: Any = silent) -> Submitter:
    return Submitter(settings, embedded=True, experiment=experiment, facts={"numpy": "1.26"}, say=say)


def on_slurm(
    stages: Graph,
    store: Store,
    on_tick: Callable[[list[Running]], None] = silent,
    settings: SlurmSettings = QUICK,
    say: Callable[[str], None] = silent,
) -> Outcome:
    """Run the stages as jobs, for five minutes at most."""
    deadline = time.monotonic() + 300

    def tick(running: list[Running]) -> None:
        assert time.monotonic() < deadline, running
        on_tick(running)

    with Slurm(submitter(settings=settings, say=say)) as executor:
        return run(stages, store, executor, silent, tick)


def job_of(store: Store, one: Node) -> str:
    record = record_of(store, one.kind, one.signature)
    assert record is not None
    assert record.job is not None
    return record.job


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []
