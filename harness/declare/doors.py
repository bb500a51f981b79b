"""The doors for what is not built in: a file of one's own (FILE.py:NAME), and the entry points of installed packages."""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distributions
from pathlib import Path
from pkgutil import resolve_name
from types import MappingProxyType
from typing import Any

from benchmarks.track import Track
from harness.core.errors import UseError
from harness.core.names import check_name
from harness.core.registry import Registry, suggestion
from harness.declare.files import digest, load_declared, of_file

DIGITS = 12  # of a hash, enough to tell any two apart
PREFIX = "svi_harness."  # of every group of entry points
GUIDE = "docs/extend.md has one to copy"


@dataclass(frozen=True)
class Found:
    """What a door gave. `target`: "file.py:NAME" or "module:NAME"; `source`: SHA-256 of the file that declares it; `package`: name
    and version of what installed it."""

    name: str
    target: str
    value: Any
    source: str
    package: str | None = None

    def identity(self, key: str) -> dict[str, Any]:
        """What of it a signature holds, below the setting `key`: a file's place does not matter, its content does."""
        told = {f"{key}.source": self.source}
        return told | ({f"{key}.package": self.package} if self.package else {})


@dataclass(frozen=True)
class Point:
    """An entry point, which nobody has loaded."""

    name: str
    target: str
    package: str

    @property
    def about(self) -> str:
        """It in a line, for lists."""
        return f"{self.target}, of {self.package}"


@dataclass(frozen=True)
class Door:
    """A kind of thing that can be added. `group`: of its entry points; `kind`: a class, or a value of one; `asks`: the attributes
    that make a class one of this kind, "a or b" for either."""

    noun: str
    group: str
    asks: tuple[str, ...] = ()
    kind: type = type

    def find(self, reference: str, built_in: Iterable[str], what: str) -> Found:
        """What a file declares or an installed package has; `built_in` names are no package's, `what` is the word for errors.

        Raises UseError.
        """
        found = self._own(reference, what) if of_file(reference) else self._installed(reference, built_in, what)
        self._check(found.value, reference)
        return found

    def points(self, built_in: Iterable[str]) -> dict[str, Point]:
        """Entry points by name, without those that are skipped."""
        return {point.name: point for point, why in self._judged(built_in) if not why}

    def skipped(self, built_in: Iterable[str]) -> list[str]:
        """Each that cannot be used, and why."""
        return [
            f"{point.name!r}, {point.target!r} of {point.package}: {why}"
            for point, why in self._judged(built_in)
            if why
        ]

    def _check(self, value: Any, reference: str) -> None:
        """Raises UseError where it lacks what this door asks for."""
        if not isinstance(value, self.kind):
            raise UseError(f"{reference} is a {type(value).__name__}; as {self.noun} expected {self.said}: {GUIDE}")
        if missing := [asked for asked in self.asks if not _has(value, asked)]:
            raise UseError(f"{reference} has no {', no '.join(missing)}; as {self.noun} expected {self.said}: {GUIDE}")

    @property
    def said(self) -> str:
        """What it asks for, in words."""
        if self.kind is not type:
            return f"NAME = {self.kind.__name__}(...)"
        return f"a class with {', '.join(self.asks)}"

    def _own(self, reference: str, what: str) -> Found:
        value: Any = load_declared(reference, Registry(what), self.kind, self.said)
        file, _, name = reference.rpartition(":")
        return Found(name, f"{Path(file).absolute()}:{name}", value, digest(Path(file)))

    def _installed(self, name: str, built_in: Iterable[str], what: str) -> Found:
        points, mine = self.points(built_in), [*built_in]
        if name in mine:
            raise UseError(f"{what} {name!r} is built in, so it need not be named here; leave it out")
        if name not in points:
            raise UseError(f"unknown {what} {name!r}: {suggestion(name, [*mine, *points])}, or FILE.py:NAME")
        point = points[name]
        value = loaded(point.target)
        return Found(name, point.target, value, source_of(value, point.target), point.package)

    def _judged(self, built_in: Iterable[str]) -> Iterator[tuple[Point, str]]:
        """Every entry point of the group, and why it is skipped; empty for one that is not."""
        mine, taken = set(built_in), dict[str, Point]()
        for point in installed(self.group):
            why = _fault(point)
            if not why and point.name in mine:
                why = f"a built-in {self.noun} has that name"
            if not why and point.name in taken:
                why = f"{taken[point.name].package} has one of that name too"
            if not why:
                taken[point.name] = point
            yield point, why


BACKBONE_ASKS = (
    *("geometry", "load", "lora_targets", "resize", "expert", "span", "encode", "decode", "encode_text"),
    *("free_text_encoder", "condition", "latent_frames", "velocity", "learned", "finish"),
)
OBJECTIVE_ASKS = ("of", "losses", "log", "state_dict", "load_state_dict", "settle", "keep", "__enter__", "__exit__")
DOORS: Mapping[str, Door] = MappingProxyType(
    {
        "backbone": Door("backbone", f"{PREFIX}backbones", BACKBONE_ASKS),
        "objective": Door("objective", f"{PREFIX}objectives", OBJECTIVE_ASKS),
        "generation": Door("generation loop", f"{PREFIX}generations", ("next",)),
        "metric": Door("metric", f"{PREFIX}metrics", ("metrics", "score")),
        "signal": Door("signal", f"{PREFIX}signals", ("key", "of", "attach", "frames", "course")),
        "memory": Door("memory", f"{PREFIX}memories", ("keep or reference",)),
        "track": Door("track", f"{PREFIX}tracks", kind=Track),
    }
)
"""In the order in which a class is held against them: an objective keeps, too."""


def door_of(value: object) -> str | None:
    """Which door a value of a file is for; None for no door's."""
    fits = (
        key
        for key, door in DOORS.items()
        if isinstance(value, door.kind) and all(_has(value, asked) for asked in door.asks)
    )
    return next(fits, None)


def loaded(target: str, source: str | None = None) -> Any:
    """What "module:NAME" or "file.py:NAME" names; `source`: the hash that its file had when it was planned. Raises UseError."""
    if of_file(target):
        value: Any = load_declared(target, Registry("part"), (type, Track), GUIDE)
    else:
        value = _resolved(target)
    if source is not None and source_of(value, target) != source:
        raise UseError(f"{target}: its file changed since the command began; run the same command again")
    return value


def version_of(found: Found) -> int:
    """What a class says, else 1. Raises UseError for anything but a whole number."""
    version = getattr(found.value, "version", 1)
    if not isinstance(version, int):
        raise UseError(f"{found.target} has version = {version!r}; expected a whole number, to be raised by hand")
    return version


def source_of(value: Any, target: str) -> str:
    """The hash of the file that declares it. Raises UseError where there is none."""
    if of_file(target):
        return digest(Path(target.rpartition(":")[0]))
    module = sys.modules[value.__module__ if isinstance(value, type) else target.partition(":")[0]]
    try:
        return digest(Path(str(inspect.getsourcefile(module))))
    except (OSError, TypeError) as error:
        raise UseError(f"{target}: its module has no file to take a hash of; give it as FILE.py:NAME") from error


def _resolved(target: str) -> Any:
    """Others' code: whatever it does when it is imported, the command says whose it is."""
    try:
        return resolve_name(target)
    except (Exception, SystemExit) as error:
        raise UseError(f"{target} cannot be loaded: {type(error).__name__}: {error}; mend or uninstall it") from error


def _has(value: object, asked: str) -> bool:
    """Whether it has that attribute, and does not leave it to whoever extends it."""
    found = (getattr(value, name, None) for name in asked.split(" or "))
    return any(one is not None and not getattr(one, "__isabstractmethod__", False) for one in found)


def _fault(point: Point) -> str:
    """What is wrong with an entry point as it stands, not loaded."""
    try:
        check_name("it", point.name)
    except UseError:
        return "its name cannot be part of a path"
    named = re.fullmatch(r"[\w.]+:[\w.]+", point.target)
    return "" if named else "expected MODULE:NAME as its value"


def installed(group: str) -> Iterator[Point]:
    """The entry points of a group. What a package says amiss about itself is its own matter."""
    return (point for its, point in _installed(tuple(sys.path)) if its == group)


@cache
def _installed(_path: tuple[str, ...]) -> tuple[tuple[str, Point], ...]:
    """Group and entry point of everything on this sys.path that goes through a door."""
    found: list[tuple[str, Point]] = []
    seen: set[str] = set()
    for distribution in distributions():
        try:
            text = distribution.read_text("entry_points.txt") or ""
            if PREFIX not in text:
                continue
            name = _printable(distribution.metadata["Name"])
            if name not in seen:  # the first on the path is the one that is imported
                found += _points(text, f"{name} {_printable(distribution.version)}")
            seen.add(name)
        except Exception:  # metadata that nobody can read
            continue
    return tuple(found)


def _printable(text: object) -> str:
    return "".join(filter(str.isprintable, str(text)))


def _points(text: str, package: str) -> Iterator[tuple[str, Point]]:
    """Read here line by line: importlib's reader raises at the first line that is none, and with it for all packages."""
    section = ""
    for line in map(str.strip, text.splitlines()):
        if line.startswith("["):
            section = line.strip("[] ")
        elif section.startswith(PREFIX) and line and not line.startswith("#"):
            name, _, target = (part.strip() for part in line.partition("="))
            yield section, Point(name, target.partition("[")[0].strip(), package)
