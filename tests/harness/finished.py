"""One small experiment, carried out: its store, made once a session. Nobody adds stages to it."""

from pathlib import Path

from tests.harness.small import ONE_TRACK, SMALL, harness
from tests.once import made_once

RUN = ("run", "ablation_eimg", "--only", "base,full", ONE_TRACK, *SMALL)
FIRST = "first.md"  # beside the store: the table that the run printed


def table(stdout: str) -> str:
    """The rows of the printed table."""
    return "\n".join(line for line in stdout.splitlines() if line.startswith("|"))


def finished() -> Path:
    """The store, with an MLflow database of its own."""

    def make(folder: Path) -> None:
        done = harness(*RUN, store=folder / "runs")
        assert done.returncode == 0, done.stderr[-3000:]
        assert "tracking:" not in done.stderr  # everything is in MLflow
        (folder / FIRST).write_text(table(done.stdout))

    return made_once("ablation", make) / "runs"
