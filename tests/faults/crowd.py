"""Eight of the same command at once on one new store."""

import os
from collections import Counter
from pathlib import Path
from typing import Any

from harness.run import worker
from tests.faults.command import RUN, Command
from tests.faults.reference import Reference

MANY = 8


def crowd(reference: Reference) -> str | None:
    """All end in the same result, and no stage is made twice."""
    root = reference.store("crowd", 0)
    made = root.parent / "made"
    commands = [Command(*RUN, store=root, before=lambda: _note_stages(made)) for _ in range(MANY)]
    for end in [command.wait() for command in commands]:
        if (wrong := reference.wrong(root, end)) is not None:
            return wrong
    times = Counter(made.read_text().split())
    twice = [stage for stage, count in times.items() if count > 1]
    if twice or len(times) != len(reference.stages):
        return f"made more than once: {', '.join(twice)}; in all {len(times)} of {len(reference.stages)}"
    return None


def _note_stages(made: Path) -> None:
    """Have this process add a line there for each stage that it begins to make."""
    attempt = worker._attempt

    def noted(store: Any, node: Any, *others: Any) -> None:
        line = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.write(line, f"{node.kind}-{node.signature}\n".encode())
        os.close(line)
        attempt(store, node, *others)

    worker._attempt = noted
