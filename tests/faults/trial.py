"""One fault after another in a part: is the result always the undisturbed one?"""

import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.layer import KILLED, End, Fault, in_child
from tests.faults.part import MEMORY, Part, Result

# What a person is told of a full disk or a read-only one: an error of the system, or one of this project's own.
REFUSALS = ("OSError", "StageError", "UseError", "ValueError", "PermissionError", "RuntimeError", "SafetensorError")
MISSED = "the work ended before that point"
GONE = {Fault.KILL, Fault.TORN, Fault.POWER, Fault.LINE}  # the process is


@dataclass
class Tally:
    """Of one part and fault: the points there are, those tried, those survived, and what was wrong at the others."""

    part: str
    fault: str
    points: int
    tried: int = 0
    survived: int = 0
    wrong: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Trials:
    """A part, its undisturbed result, and a folder to work in."""

    def __init__(self, part: Part, scratch: Path) -> None:
        self.part, self.scratch = part, scratch
        scratch.mkdir(parents=True, exist_ok=True)
        self.prepared = scratch / "prepared"
        self.prepared.mkdir()
        part.prepare(self.prepared)
        self.expected = self._undisturbed()
        if again := self._varying(self.expected, self._undisturbed()):
            self.expected = {name: value for name, value in self.expected.items() if name not in again}

    def points(self, fault: Fault) -> int:
        """How many there are."""
        folder = self._fresh()
        end = in_child(lambda: self.part.act(folder), folder, _counting(fault), 0, self.part.lines)
        assert end.code == 0, end.said
        return end.points

    def tally(self, fault: Fault, at: Sequence[int], points: int, until: float) -> Tally:
        """Of these points, as many as there is time for (monotonic s)."""
        begun, found = time.monotonic(), Tally(self.part.name, fault.name, points)
        for number in at:
            if found.tried and time.monotonic() > until:
                break
            wrong = self._wrong(fault, number)
            if wrong == MISSED:  # the order of threads differs, and with it the number of points
                continue
            found.tried += 1
            found.survived += wrong is None
            if wrong is not None:
                found.wrong.append(f"at {number} of {points}: {wrong}")
        found.seconds = time.monotonic() - begun
        return found

    def _wrong(self, fault: Fault, number: int) -> str | None:
        folder = self._fresh()
        end = in_child(lambda: self.part.act(folder), folder, fault, number, self.part.lines)
        if end.code != KILLED and end.points < number:
            return MISSED
        if fault in GONE and end.code != KILLED:
            return f"was not stopped: {end}"
        if fault not in GONE and end.code and not end.said.startswith(REFUSALS):
            return f"ended with {end.said or end.code}"
        if broken := self._unsound(folder):
            return f"left behind what is not whole: {broken}"
        if (after := in_child(lambda: self.part.act(folder), folder)).code:
            return f"the same command then ended with {after.code}: {after.said}"
        found = self._result(folder)
        if isinstance(found, End):
            return f"no result: {found.said}"
        if differing := self._varying(self.expected, found):
            return f"another result: {', '.join(sorted(differing))}"
        return None

    @property
    def _folder(self) -> Path:
        return self.scratch / "work"

    def _fresh(self) -> Path:
        shutil.rmtree(self._folder, ignore_errors=True)
        return Path(shutil.copytree(self.prepared, self._folder, symlinks=True))

    def _undisturbed(self) -> Result:
        folder = self._fresh()
        end = in_child(lambda: self.part.act(folder), folder)
        assert end.code == 0, end.said
        found = self._result(folder)
        assert not isinstance(found, End), found.said
        return found

    def _unsound(self, folder: Path) -> str | None:
        try:
            self.part.sound(folder)
        except Exception as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _result(self, folder: Path) -> Result | End:
        """In this process: readers start no threads."""
        try:
            return self.part.result(folder)
        except Exception as error:
            return End(1, 0, f"{type(error).__name__}: {error}")

    @staticmethod
    def _varying(one: Result, other: Result) -> set[str]:
        return {name for name in one if other.get(name) != one[name]}


def _counting(fault: Fault) -> Fault:
    return fault if fault == Fault.LINE else Fault.NONE


def spread(points: int, most: int | None) -> Iterator[int]:
    """All of them, or so many, in an order that covers the whole range however early it ends."""
    count = points if most is None else min(points, most)
    chosen = [1 + (2 * i + 1) * points // (2 * count) for i in range(count)] if count else []
    stride = next((s for s in (7, 11, 13, 17, 19, 23) if count % s), 1)
    yield from (chosen[(i * stride) % count] for i in range(count))


def tried(part: Part, faults: Sequence[Fault], most: int | None, seconds: float) -> Iterator[Tally]:
    """A tally for each fault; `seconds`: at most so long for all of them together, shared."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir=MEMORY) as scratch:
        trials = Trials(part, Path(scratch) / "part")
        for left, fault in zip(range(len(faults), 0, -1), faults, strict=True):
            begun = time.monotonic()
            share = seconds / left
            points = trials.points(fault)
            yield trials.tally(fault, list(spread(points, most)), points, begun + share)
            seconds -= time.monotonic() - begun
