"""What a stage function is given, and how it says that it failed."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


class StageError(Exception):
    """A stage did not finish; the message is one line."""


@dataclass(frozen=True)
class Job:
    """What a stage function is given: its folder to fill, dotted settings, and the folders of its upstream artifacts.

    `progress(done, total, unit, then)` may be called at any rate; `then` is what is counted after these, if anything. `rank` counts
    the `ranks` processes of the stage; the first may wait until the `others` are done.
    """

    kind: str
    folder: Path
    settings: dict[str, Any]
    inputs: dict[str, Any]
    progress: Callable[[int, int, str, str], None]
    rank: int = field(default=0, kw_only=True)
    ranks: int = field(default=1, kw_only=True)
    others: Callable[[], None] = field(default=lambda: None, kw_only=True)

    @property
    def first_rank(self) -> bool:
        """Of one process, or of several the one that keeps what all do together."""
        return self.rank == 0

    @property
    def share(self) -> slice:
        """Of a list of parts that several processes deal out among themselves, those that this one makes."""
        return slice(self.rank, None, self.ranks)

    def counting(self, unit: str, then: str = "") -> Callable[[int, int], None]:
        """Progress of one unit, such as clips: a function of how many are done, and of how many. `then`: the next part's unit."""
        return lambda done, total: self.progress(done, total, unit, then)
