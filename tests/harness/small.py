"""`harness` commands at a size for tests, in processes of their own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SMALL = (
    "tiny.steps=12",
    "tiny.layers=1",
    "data.clips=48",
    "data.fps=2",
    "train.steps=12",
    "train.checkpoint_every=4",
    "train.log_every=4",
    "generate.steps=2",
    "generate.samples=2",
)
ONE_TRACK = "tracks=consistent-50s"


def command(*arguments: str, store: Path) -> list[str]:
    """The command line, as a list."""
    return [sys.executable, "-m", "harness", *arguments, "--store", str(store)]


def environment() -> dict[str, str]:
    """One thread a process, the checkout's own code."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def harness(*arguments: str, store: Path, cwd: Path = ROOT, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        command(*arguments, store=store), capture_output=True, text=True, env=environment(), cwd=cwd, timeout=timeout
    )
