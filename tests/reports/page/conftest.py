"""A browser, and a page to open in it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chromium import pages
from tests.reports.page.films import write_page


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with pages() as context:
        yield context


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Films of 8 s at 8 fps, and of 4 s in the second sample, all in the page."""
    return write_page(tmp_path_factory.mktemp("short"), 8, 8, samples=2)
