"""What is made once for all processes of a test session: finished stores, databases, random weights. Copy what you change."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

SESSION = "TESTS_MADE_ONCE"  # environment variable: the session's folder (tests/conftest.py)


def made_once(name: str, make: Callable[[Path], object]) -> Path:
    """The folder of that name; `make` is given its path, not there yet, by the first test of all processes that asks for it."""
    root = Path(os.environ[SESSION])
    with FileLock(root / f"{name}.lock"):
        made = root / f"{name}.made"
        if not made.exists():
            shutil.rmtree(root / name, ignore_errors=True)  # of a test that failed half-way
            make(root / name)
            made.touch()
    return root / name
