"""Files with parts of one's own."""

from pathlib import Path

import pytest

from tests.harness.plan.methods import MEMORIES, OWN


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """An objective and loops."""
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    return file


@pytest.fixture
def memories(tmp_path: Path) -> Path:
    file = tmp_path / "memories.py"
    file.write_text(MEMORIES)
    return file
