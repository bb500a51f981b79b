"""Many samples, one after the other: each whole or not there, what is there kept, and what gives none listed with the reason."""

import csv
import io
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from svi import disk
from svi.data.samples import PROMPT, RECORD
from svi.foreign import read_object
from svi.preparation.source import Made, Source

SKIPPED = "skipped.csv"
FORMAT = 1  # raised when the same files give other samples
_LOCK = ".lock"

Told = Callable[[int, int, str, str], None]
"""Is told how many are done, of how many, the name of the last one, and what came of it."""


@dataclass
class Outcome:
    """Samples that were made now, those that were there, and those that could not be made, with the reason."""

    made: dict[str, Made] = field(default_factory=dict)
    kept: dict[str, Made] = field(default_factory=dict)
    skipped: list[tuple[str, str]] = field(default_factory=list)

    @property
    def samples(self) -> dict[str, Made]:
        """All that are there now."""
        return self.kept | self.made


def prepare(sources: Sequence[Source], lacking: Sequence[tuple[str, str]], target: Path, tell: Told) -> Outcome:
    """Make every sample in a folder of `target`; one that is there, of the same files and made in the same way, stays.

    A list of what was skipped, and of what was `lacking` from the start, lies beside them. Raises ValueError for a folder that
    another process writes to, and for a full disk, after which the same call goes on.
    """
    outcome = Outcome(skipped=list(lacking))
    with _alone(target):
        for i, source in enumerate(sources):
            tell(i + 1, len(sources), source.name, _one(source, target, outcome))
        text = io.StringIO()
        listed = [(inert(name), inert(why)) for name, why in outcome.skipped]
        csv.writer(text, lineterminator="\n").writerows([("sample", "why"), *listed])
        disk.write_whole(target / SKIPPED, text.getvalue().encode())
    return outcome


def inert(text: str) -> str:
    """Text that a spreadsheet shows and does not compute, by the rule of all tables here (reports/tables/text.py)."""
    if len(text) == 1 or not text.startswith(("=", "+", "-", "@", "\t", "\r")):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


def _one(source: Source, target: Path, outcome: Outcome) -> str:
    """Notes what comes of a source, and says it."""
    if source.name in outcome.samples:
        outcome.skipped.append(
            (source.name, f"{source.files[0]}: a sample of this name was made of another file; rename one")
        )
        return f"skipped: {outcome.skipped[-1][1]}"
    try:
        there = _there(target / source.name, _record(source))
        made = there or _make(source, target)
    except ValueError as error:
        outcome.skipped.append((source.name, str(error)))
        return f"skipped: {error}"
    except OSError as error:
        if not disk.is_full(error):
            raise
        raise ValueError(
            f"the disk is full at {target} ({error.strerror}); {len(outcome.samples)} samples are whole. Make room and run the "
            "same command again: it goes on from there"
        ) from error
    (outcome.kept if there else outcome.made)[source.name] = made
    return "; ".join(
        filter(None, (f"{made.frames} frames, {made.seconds:.1f} s", made.note, "there already" if there else ""))
    )


def _record(source: Source) -> dict[str, Any]:
    """By which a sample is known to be of these files. Raises ValueError for one that cannot be looked at."""
    try:
        files = {str(file.absolute()): [(about := file.stat()).st_size, about.st_mtime_ns] for file in source.files}
    except OSError as error:
        raise ValueError(f"{source.files[0]} cannot be read ({error})") from error
    return {"format": FORMAT, "files": files, "prompt": source.prompt, **source.how}


def _there(folder: Path, record: dict[str, Any]) -> Made | None:
    """What an earlier call made of the same, if it did."""
    try:
        found = read_object(folder / RECORD)
        return Made(*found.pop("made")) if {key: found.get(key) for key in record} == record else None
    except (ValueError, TypeError, KeyError):
        return None


def _make(source: Source, target: Path) -> Made:
    """In a folder of another name, which takes its place once it is whole."""
    record, half = _record(source), target / f".{source.name}{disk.HALF}"
    half.mkdir()
    try:
        made = source.make(half)
        (half / PROMPT).write_text(f"{source.prompt}\n", encoding="utf-8")
        (half / RECORD).write_text(json.dumps({**record, "made": made}, indent=1))
        for file in half.iterdir():
            disk.flush(file)
        shutil.rmtree(target / source.name, ignore_errors=True)
        half.replace(target / source.name)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return made


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """The folder, ours alone, without what a killed process left of a sample. Raises ValueError while another writes there."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(target / _LOCK, timeout=0):
            for half in target.glob(f".*{disk.HALF}"):
                shutil.rmtree(half)
            yield
    except Timeout as error:
        raise ValueError(
            f"{target}: another command is writing samples there; wait for it, or name another folder"
        ) from error
