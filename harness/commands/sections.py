"""What a person can name, by the title that `harness list` gives it.

Where it is registered and what `harness show` says of it are names, not imports, as the commands are in harness/cli.py: nothing
in harness imports sweeps.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pkgutil import resolve_name


@dataclass(frozen=True)
class Section:
    """`registry`: "module:REGISTRY"; `about`: which attribute of what it holds is its line; `text`: "module:function" of a name."""

    registry: str
    about: str
    text: str

    def names(self) -> list[str]:
        """All names, in the order they were registered."""
        names: list[str] = resolve_name(self.registry).names()
        return names

    def listed(self) -> dict[str, str]:
        """Name -> what it is, in a line."""
        registry = resolve_name(self.registry)
        return {name: getattr(registry.get(name), self.about) for name in registry.names()}

    def lines(self, name: str) -> Iterable[str]:
        """What there is to know of one of them."""
        lines: Iterable[str] = resolve_name(self.text)(name)
        return lines


SECTIONS = {
    "experiments": Section("harness.experiments:EXPERIMENTS", "question", "harness.commands.show:experiment_lines"),
    "profiles": Section("harness.declare.profiles:PROFILES", "about", "harness.commands.show:profile_lines"),
    "recipes": Section("harness.declare.recipes:RECIPES", "about", "harness.commands.show:recipe_lines"),
    "sweeps": Section("sweeps.sweep:SWEEPS", "question", "sweeps.sweep:sweep_lines"),
}
