"""The parts of a method that can be named: built-in ones, those of installed packages, and those of a file of one's own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.core.errors import UseError
from harness.core.registry import suggestion
from harness.core.signature import leaves
from harness.declare.doors import DOORS, Found, version_of
from harness.declare.settings import Settings
from svi.parts import BUILT_IN, KV_CACHE, REFERENCE, SETTING, Axis, Part

PLACES = {"keep": KV_CACHE, "reference": REFERENCE}  # what a memory does -> what a loop must have for it


@dataclass(frozen=True)
class Chosen:
    """A part as it was named. `found`: what a door gave, where it is not built in."""

    axis: Axis
    name: str
    part: Part
    found: Found | None = None

    @property
    def identity(self) -> dict[str, Any]:
        """What of it a signature holds."""
        key = SETTING[self.axis]
        named = {key: self.name, f"{key}.version": self.part.version}
        return named | (self.found.identity(key) if self.found else {})

    @property
    def runtime(self) -> dict[str, Any]:
        """Where it is loaded from."""
        return {f"{SETTING[self.axis]}.target": self.part.target}


def chosen(axis: Axis, reference: str) -> Chosen:
    """The part of that name, or of a file: "path/to/file.py:NAME". Raises UseError."""
    built_in: Mapping[str, Part] = BUILT_IN[axis]
    if reference in built_in:
        return Chosen(axis, reference, built_in[reference])
    found = DOORS[axis].find(reference, built_in, SETTING[axis])
    return Chosen(axis, found.name, described(axis, found), found)


def described(axis: Axis, found: Found) -> Part:
    """A class as a part: it may say `version`, `reads`, `needs`, `gives` and `sets`; its docstring's first line is what it is.

    One that extends a built-in part needs and gives what that does, unless it says so itself. Raises UseError for one that says
    them in another way.
    """
    words = {name: _words(found, name) for name in ("reads", "needs", "gives")}
    implied = tuple(need for attribute, need in PLACES.items() if hasattr(found.value, attribute))
    if axis == "memory":
        words["needs"] = tuple(dict.fromkeys((*words["needs"], *implied)))
    sets = dict(getattr(found.value, "sets", {}))
    known = [*leaves(Settings), *dict.fromkeys(key.partition(".")[0] for key in leaves(Settings))]
    for key in (*words["reads"], *sets):
        if key not in known:
            raise UseError(
                f"{found.target} names {key!r}, which is no setting and no section: {suggestion(key, known)}"
            )
    return Part(found.target, first_line(found.value), version_of(found), sets=sets, **words)


def first_line(declared: object) -> str:
    """Of a docstring."""
    return (declared.__doc__ or "no docstring").strip().partition("\n")[0]


def _words(found: Found, name: str) -> tuple[str, ...]:
    """What the class says, or the nearest one that it extends: in its attributes, or in svi/parts.py."""
    built_in = {part.target.removesuffix(".of"): part for parts in BUILT_IN.values() for part in parts.values()}
    said: object = ()
    for one in found.value.__mro__:
        part = built_in.get(f"{one.__module__}:{one.__qualname__}")
        if name in vars(one) or part is not None:
            said = vars(one)[name] if name in vars(one) else getattr(part, name)
            break
    if isinstance(said, str) or not isinstance(said, Sequence) or not all(isinstance(word, str) for word in said):
        raise UseError(f'{found.target} has {name} = {said!r}; expected words in a tuple, such as ("bank",)')
    return tuple(said)
