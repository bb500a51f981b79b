"""One small experiment, carried out: its store, made once a session. Nobody adds stages to it."""

import shutil
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


def copied(store: Path) -> Path:
    """Its stages in a store of the test's own; what is in MLflow stays behind, as it names its folder."""
    away = shutil.ignore_patterns("mlflow.db*", "mlartifacts", "tracking")
    return Path(shutil.copytree(finished(), store, symlinks=True, ignore=away))
