"""Who uses a store: commands that compute hold it together, one that removes things holds it alone."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.core.errors import UseError

NAME = "in-use.lock"  # in a store's folder of locks; the system frees it when its holder dies


@contextmanager
def in_use(locks: Path) -> Iterator[None]:
    """Nothing of the store is removed meanwhile; waits for a removal under way. Any number of processes at once."""
    with _held(locks, fcntl.LOCK_SH):
        yield


@contextmanager
def alone(locks: Path) -> Iterator[None]:
    """Nobody computes meanwhile. Raises UseError where somebody does."""
    try:
        with _held(locks, fcntl.LOCK_EX | fcntl.LOCK_NB):
            yield
    except BlockingIOError:
        raise UseError(
            f"a command is working in {locks.parent}, and nothing is removed meanwhile; `harness status` shows what it does: "
            "try again when it has ended"
        ) from None


@contextmanager
def _held(locks: Path, how: int) -> Iterator[None]:
    locks.mkdir(exist_ok=True)
    handle = os.open(locks / NAME, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, how)
        except BlockingIOError:
            raise
        except OSError:
            pass  # a file system without locks
        yield
    finally:
        os.close(handle)
