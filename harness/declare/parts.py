"""The parts of a method that can be named: built-in ones, those of installed packages, and those of a file of one's own."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

from harness.core.errors import UseError
from harness.core.registry import Registry
from harness.declare.spec import load_declared
from svi.parts import BUILT_IN, Axis, Part

ENTRY_POINTS: Mapping[Axis, str] = {
    "objective": "svi_harness.objectives",
    "generation": "svi_harness.generations",
    "memory": "svi_harness.memories",
}
HOW = "a part is a class: see docs/extend.md"


@dataclass(frozen=True)
class Chosen:
    """A part as it was named. `source`: the hash of the file it comes from, where that is not this project's."""

    axis: Axis
    name: str
    part: Part
    source: str | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What of it a signature holds: a file's place does not matter, its content does."""
        named = {f"method.{self.axis}": self.name, f"method.{self.axis}.version": self.part.version}
        return named | ({f"method.{self.axis}.source": self.source} if self.source else {})

    @property
    def runtime(self) -> dict[str, Any]:
        """Where it is loaded from."""
        return {f"method.{self.axis}.target": self.part.target}


def chosen(axis: Axis, reference: str) -> Chosen:
    """The part of that name, or of a file: "path/to/file.py:NAME". Raises UseError."""
    if ".py:" in reference or reference.endswith(".py"):
        return _own(axis, reference)
    parts = registry(axis)
    part = parts.get(reference)
    return Chosen(axis, reference, part, None if reference in BUILT_IN[axis] else _source(part.target))


def registry(axis: Axis) -> Registry[Part]:
    """The built-in parts, then those of installed packages."""
    found: Registry[Part] = Registry(f"method.{axis}")
    for name, part in BUILT_IN[axis].items():
        found.add(name, part)
    for point in entry_points(group=ENTRY_POINTS[axis]):
        if point.name in BUILT_IN[axis]:
            raise UseError(
                f"{point.value}, an entry point of {ENTRY_POINTS[axis]}, is called {point.name!r} as a built-in part is; "
                "uninstall that package, or have it choose another name"
            )
        found.add(point.name, described(point.load(), point.value))
    return found


def described(declared: type, target: str) -> Part:
    """A class as a part: it may say `version`, `reads`, `needs`, `gives` and `sets`; its docstring's first line is what it is."""
    about = (declared.__doc__ or "no docstring").strip().partition("\n")[0]
    words = {name: tuple(getattr(declared, name, ())) for name in ("reads", "needs", "gives")}
    return Part(target, about, int(getattr(declared, "version", 1)), sets=dict(getattr(declared, "sets", {})), **words)


def loaded(target: str) -> Any:
    """The class that a part's target names: "module:class", or "file.py:NAME". Raises UseError."""
    if ".py:" in target:
        return load_declared(target, Registry("part"), type, HOW)
    return resolve_name(target)


def _own(axis: Axis, reference: str) -> Chosen:
    declared = load_declared(reference, Registry(f"method.{axis}"), type, HOW)
    file, _, name = reference.rpartition(":")
    part = described(declared, f"{Path(file).absolute()}:{name}")
    return Chosen(axis, name, part, _digest(Path(file)))


def _source(target: str) -> str:
    """The hash of the module's file, which is not loaded for it."""
    spec = find_spec(target.partition(":")[0])
    if spec is None or spec.origin is None:
        raise UseError(f"{target}: its module has no file to take a hash of; give the part as FILE.py:NAME")
    return _digest(Path(spec.origin))


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()
