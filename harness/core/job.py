"""What a stage function is given, and how it says that it failed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class StageError(Exception):
    """A stage did not finish; the message is one line."""


@dataclass(frozen=True)
class Job:
    """What a stage function is given: its folder to fill, dotted settings, and the folders of its upstream artifacts.

    `progress(done, total, unit)` may be called at any rate. `first_rank` is False in all but one of several processes.
    """

    kind: str
    folder: Path
    settings: dict[str, Any]
    inputs: dict[str, Any]
    progress: Callable[[int, int, str], None]
    first_rank: bool

    def counting(self, unit: str) -> Callable[[int, int], None]:
        """Progress of one unit, such as clips: a function of how many are done, and of how many."""
        return lambda done, total: self.progress(done, total, unit)
