"""What a person can name, by the title that `harness list` gives it.

Registries and what `harness show` says of a name are names here, not imports, as the commands are in harness/cli.py: nothing in
harness imports sweeps.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name

from benchmarks.track import TRACKS
from harness.commands.lines import table_about
from harness.declare.parts import registry
from reports.tables.sources import table_names
from svi.parts import Axis


@dataclass(frozen=True)
class Section:
    """`listed`: name -> what it is, in a line; `text`: the "module:function" that describes one by its name; `kind`: the
    "module:class" of what a file of one's own can declare."""

    listed: Callable[[], Mapping[str, str]]
    text: str
    kind: str | None = None

    def lines(self, name: str) -> Iterable[str]:
        """What there is to know of one of them."""
        lines: Iterable[str] = resolve_name(self.text)(name)
        return lines


def _registered(registry: str, about: str) -> Callable[[], Mapping[str, str]]:
    """What "module:REGISTRY" holds; `about`: the attribute of each that is its line."""

    def listed() -> Mapping[str, str]:
        found = resolve_name(registry)
        return {name: getattr(found.get(name), about) for name in found.names()}

    return listed


def _parts(axis: Axis) -> Section:
    """The parts on an axis of a method, built-in and of installed packages."""
    return Section(
        lambda: {name: found.get(name).about for found in [registry(axis)] for name in found.names()},
        f"{LINES}{axis}_lines",
    )


LINES = "harness.commands.lines:"
SECTIONS = {
    "experiments": Section(
        _registered("harness.experiments:EXPERIMENTS", "question"),
        f"{LINES}experiment_lines",
        "harness.declare.spec:Experiment",
    ),
    "profiles": Section(_registered("harness.declare.profiles:PROFILES", "about"), f"{LINES}profile_lines"),
    "recipes": Section(_registered("harness.declare.recipes:RECIPES", "about"), f"{LINES}recipe_lines"),
    "tracks": Section(lambda: {name: track.about for name, track in TRACKS.items()}, f"{LINES}track_lines"),
    "sweeps": Section(_registered("sweeps.sweep:SWEEPS", "question"), "sweeps.sweep:sweep_lines", "sweeps.sweep:Sweep"),
    "objectives": _parts("objective"),
    "generation loops": _parts("generation"),
    "memories": _parts("memory"),
    "tables": Section(lambda: {name: table_about(name) for name in table_names()}, f"{LINES}table_lines"),
}
