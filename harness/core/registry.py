"""Things by name, loaded when they are asked for."""

import difflib
from collections.abc import Iterable
from importlib import import_module
from typing import Generic, TypeVar, cast

from harness.core.errors import UseError

T = TypeVar("T")


class Registry(Generic[T]):
    """Named targets of one type; a target given as "module:attribute" is imported by the first `get`."""

    def __init__(self, noun: str) -> None:
        """`noun` says in messages what is registered, for example "experiment"."""
        self.noun = noun
        self._targets: dict[str, T | str] = {}

    def add(self, name: str, target: T | str) -> None:
        """Register under a name. Raises ValueError when the name is taken."""
        if name in self._targets:
            raise ValueError(f"{self.noun} {name!r} is registered twice")
        self._targets[name] = target

    def get(self, name: str) -> T:
        """The target of that name. Raises UseError for an unknown one."""
        if name not in self._targets:
            raise UseError(f"unknown {self.noun} {name!r}: {suggestion(name, self._targets)}")
        target = self._targets[name]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            target = cast(T, getattr(import_module(module), attribute))
            self._targets[name] = target
        return target

    def names(self) -> list[str]:
        """All names, in the order they were added."""
        return list(self._targets)


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """At most three of the names that look most like `name`, best first."""
    lowered = {known.lower(): known for known in names}
    return [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered, n=3, cutoff=0.5)]


def suggestion(name: str, names: Iterable[str]) -> str:
    """The end of a message about an unknown name: "did you mean 'y'? available: x, y"."""
    known = list(names)
    guess = f"did you mean {' or '.join(map(repr, nearest(name, known)))}? " if nearest(name, known) else ""
    return f"{guess}available: {', '.join(known) or 'none'}"
