"""What a person can name, by the title that `harness list` gives it.

Registries and what `harness show` says of a name are names here, not imports, as the commands are in harness/cli.py: nothing in
harness imports sweeps.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name

from benchmarks.track import TRACKS
from harness.commands.lines import built_in_backbones, built_in_metrics, table_about
from harness.core.errors import UseError
from harness.core.registry import Registry
from harness.declare.doors import DOORS, door_of
from harness.declare.files import load_declared
from reports.tables.sources import table_names
from svi.parts import BUILT_IN, Axis

Listed = Callable[[], Mapping[str, str]]
KINDS = {
    "experiments": ("harness.declare.spec:Experiment", "@experiment"),
    "sweeps": ("sweeps.sweep:Sweep", "NAME = Sweep(...)"),
}
"""What a file of one's own can declare beside what goes through a door: section -> "module:class", and how."""


@dataclass(frozen=True)
class Section:
    """`listed`: name -> what it is, in a line; `text`: the "module:function" that describes one by its name; `skipped`: what
    cannot be used, and why."""

    listed: Listed
    text: str
    skipped: Callable[[], Sequence[str]] = tuple

    def lines(self, name: str) -> Iterable[str]:
        """What there is to know of one of them."""
        lines: Iterable[str] = resolve_name(self.text)(name)
        return lines


def title_in_file(reference: str) -> str:
    """The section of what a file declares by "path/to/file.py:NAME". Raises UseError for what belongs to none."""
    kinds = {title: resolve_name(kind) for title, (kind, _) in KINDS.items()}
    ways = ", ".join(how for _, how in KINDS.values())
    declared = load_declared(
        reference,
        Registry[object]("experiment, sweep or part"),
        (*kinds.values(), *{door.kind for door in DOORS.values()}),
        f"declare one with {ways}, or as docs/extend.md has it",
    )
    for title, kind in kinds.items():
        if isinstance(declared, kind):
            return title
    if door := door_of(declared):
        return TITLES[door]
    asked = "; ".join(f"a {door.noun}: {', '.join(door.asks)}" for door in DOORS.values() if door.asks)
    raise UseError(f"{reference} is no part of anything. What a class must have: {asked}")


def _registered(registry: str, about: str) -> Listed:
    """What "module:REGISTRY" holds; `about`: the attribute of each that is its line."""

    def listed() -> Mapping[str, str]:
        found = resolve_name(registry)
        return {name: getattr(found.get(name), about) for name in found.names()}

    return listed


def _behind(key: str, built_in: Listed) -> Section:
    """What is built in, and what installed packages add through a door."""
    door = DOORS[key]

    def listed() -> Mapping[str, str]:
        mine = built_in()
        return {**mine, **{name: point.about for name, point in door.points(mine).items()}}

    return Section(listed, f"{LINES}{key}_lines", lambda: door.skipped(built_in()))


def _parts(axis: Axis) -> Section:
    """The parts on an axis of a method."""
    return _behind(axis, lambda: {name: part.about for name, part in BUILT_IN[axis].items()})


LINES = "harness.commands.lines:"
TITLES = {
    "objective": "objectives",
    "generation": "generation loops",
    "memory": "memories",
    "signal": "signals",
    "track": "tracks",
    "metric": "metrics",
    "backbone": "backbones",
}
SECTIONS = {
    "experiments": Section(_registered("harness.experiments:EXPERIMENTS", "question"), f"{LINES}experiment_lines"),
    "profiles": Section(_registered("harness.declare.profiles:PROFILES", "about"), f"{LINES}profile_lines"),
    "recipes": Section(_registered("harness.declare.recipes:RECIPES", "about"), f"{LINES}recipe_lines"),
    TITLES["track"]: _behind("track", lambda: {name: track.about for name, track in TRACKS.items()}),
    TITLES["backbone"]: _behind("backbone", built_in_backbones),
    TITLES["metric"]: _behind("metric", built_in_metrics),
    "sweeps": Section(_registered("sweeps.sweep:SWEEPS", "question"), "sweeps.sweep:sweep_lines"),
    TITLES["objective"]: _parts("objective"),
    TITLES["generation"]: _parts("generation"),
    TITLES["memory"]: _parts("memory"),
    TITLES["signal"]: _parts("signal"),
    "tables": Section(lambda: {name: table_about(name) for name in table_names()}, f"{LINES}table_lines"),
}
