"""Commands that find their weights in a folder."""

import subprocess
from pathlib import Path

from tests.harness.small import harness


def run(weights: Path, *arguments: str, store: Path, judge: Path | None = None) -> subprocess.CompletedProcess[str]:
    places = {name: str(weights) for name in ("VBENCH_CACHE_DIR", "TORCH_HOME", "HARNESS_WEIGHTS")}
    places["HARNESS_VBENCH_ENV"] = str(judge or weights / "none")
    return harness(*arguments, store=store, variables=places)
