"""A store, and this machine's processes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.store import Store
from harness.run.local import Local


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with Local(2, {"numpy": "1.26"}) as executor:
        yield executor
