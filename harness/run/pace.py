"""How long a run still takes: what was expected of it, corrected by how fast it really goes."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

from harness.run.schedule import Running

TRUST = 0.1  # of the whole run: when so much of it is done, what was expected counts as much as what was seen


@dataclass(frozen=True)
class Expected:
    """Seconds of each stage that is not done, by signature (None: unknown), and of all together with several side by side."""

    stages: Mapping[str, float | None]
    together: float


class Pace:
    """Follows a run whose stages were expected to take some time."""

    def __init__(self, expected: Expected) -> None:
        known = [seconds for seconds in expected.stages.values() if seconds is not None]
        unknown = fmean(known) if known else 0.0  # like the others
        self._open = {one: unknown if seconds is None else seconds for one, seconds in expected.stages.items()}
        self._whole, self._together = sum(self._open.values()), expected.together
        self._done, self._begun = 0.0, time.monotonic()
        self._first: dict[str, float] = {}  # what an earlier command had done of a stage

    def ended(self, signature: str) -> None:
        """The stage is done, or will not be."""
        self._done += self._open.pop(signature, 0.0)

    def at(self, running: Iterable[Running]) -> tuple[float, float] | None:
        """The share of the work that is done, and the seconds until all is; None where nothing was expected."""
        if not self._whole:
            return None
        begun = sum(self._open.get(one.node.signature, 0.0) * self._share(one) for one in running)
        done, seconds = self._done + begun, time.monotonic() - self._begun
        pace = (seconds + TRUST * self._together) / (done + TRUST * self._whole)
        return done / self._whole, (self._whole - done) * pace

    def _share(self, running: Running) -> float:
        """How much of what this command has to do of a stage is done: of its last part, where it counts several."""
        if not running.progress or not running.progress["total"] or running.progress.get("then"):
            return 0.0
        share = running.progress["done"] / running.progress["total"]
        first = self._first.setdefault(running.node.signature, share)
        return (share - first) / (1 - first) if share > first else 0.0
