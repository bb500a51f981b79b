"""What several commands' tests stand on."""

from pathlib import Path

import pytest

from tests.benchmarks.vbench.vbench_weights import write_clip_b
from tests.once import made_once


@pytest.fixture(scope="session")
def weights() -> Path:
    """A small CLIP by its published name, and nothing else."""
    return made_once("small CLIP", lambda folder: write_clip_b(folder, width=64, layers=1))
