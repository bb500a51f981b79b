"""What a sweep varies and what it is after; declared like an ablation, in a few lines."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.core.errors import UseError
from harness.core.registry import Registry, suggestion
from harness.core.signature import flat
from harness.declare.files import load_declared, of_file
from harness.declare.settings import Settings
from harness.declare.spec import Scalar
from sweeps.space import Choice, Dimension, Float, Int, contains

Direction = Literal["maximize", "minimize"]
WAYS: dict[str, Direction] = {"higher": "maximize", "lower": "minimize"}


@dataclass(frozen=True)
class Objective:
    """One metric of the films, and which way is better: as the metric declares, or as given for one that declares none.

    `statistic`: the mean over the films' late clips (the last fifth), or over all clips; a metric of whole films has one value
    either way.
    """

    metric: str
    direction: Direction | None = None
    statistic: Literal["late", "mean"] = "late"

    def __post_init__(self) -> None:
        if self.direction is None:
            if (better := _declared(self.metric)) is None:
                raise UseError(f"objective {self.metric}: neither way is better by itself; say maximize or minimize")
            object.__setattr__(self, "direction", better)
        for name, allowed in (("direction", ("maximize", "minimize")), ("statistic", ("late", "mean"))):
            if getattr(self, name) not in allowed:
                raise UseError(
                    f"objective {self.metric}: {name}={getattr(self, name)!r}; expected {' or '.join(allowed)}"
                )

    def check_direction(self, declared: str | None = None) -> None:
        """Raises UseError for a direction that the metric contradicts; `declared`: what one of your own says, higher or lower."""
        better = WAYS.get(declared) if declared else _declared(self.metric)
        if better not in (None, self.direction):
            raise UseError(f"objective {self.metric}: {self.direction}, but the metric is to {better}; say {better}")

    @property
    def name(self) -> str:
        """Such as "placed_psnr late"."""
        return f"{self.metric} {self.statistic}"


def _declared(metric: str) -> Direction | None:
    """Which way is better; None where the metric declares none. What is not built in is held to be better the higher."""
    from harness.plan.scoring import direction_of  # it loads numpy, which commands that list sweeps can do without

    return WAYS.get(direction_of(metric))


@dataclass(frozen=True)
class Sweep:
    """A search over dotted settings for the best late films on one track; several objectives give a Pareto front.

    `known` are settings worth trying first, such as the paper's: they are always carried out in full. A key that one of them leaves
    out is drawn. Raises UseError for an empty space, unknown settings, and known values that lie outside.
    """

    question: str
    space: Mapping[str, Dimension]
    track: str
    objectives: tuple[Objective, ...]
    known: tuple[Mapping[str, Scalar], ...] = ()

    def __post_init__(self) -> None:
        if not self.question or not self.space or not self.objectives:
            raise UseError("a sweep needs a question, a space and an objective, each not empty")
        if of_file(self.track):  # trials are known by its name, long after the file has changed
            raise UseError(f"a sweep's track is a named one, not {self.track}; an installed package can name yours")
        if len({objective.metric for objective in self.objectives}) < len(self.objectives):
            raise UseError("a sweep has the same metric twice as an objective; expected each once")
        identity = flat(Settings(), "identity")
        for key, dimension in self.space.items():
            if not isinstance(dimension, Float | Int | Choice):
                raise UseError(f"{key}={dimension!r} in a sweep's space; expected Float, Int or Choice")
            if key in flat(Settings(), "runtime"):
                raise UseError(f"{key} in a sweep's space changes no result, only where or how fast it is computed")
            if key not in identity:
                raise UseError(f"unknown setting {key!r} in a sweep's space: {suggestion(key, identity)}")
        for settings in self.known:
            for key, value in settings.items():
                if key not in self.space:
                    raise UseError(f"known settings set {key}, which is not searched: {suggestion(key, self.space)}")
                if not contains(self.space[key], value):
                    raise UseError(f"known settings set {key}={value!r}, which lies outside {self.space[key]}")

    def named(self, values: Sequence[float]) -> dict[str, float]:
        """A complete trial's values by their objectives' names; none for one that has none."""
        return {objective.name: value for objective, value in zip(self.objectives, values, strict=False)}


SWEEPS: Registry[Sweep] = Registry("sweep")

SWEEPS.add("injection", "sweeps.declared:INJECTION")
SWEEPS.add("injection_front", "sweeps.declared:INJECTION_FRONT")
SWEEPS.add("bank", "sweeps.declared:BANK")


def load_sweep(reference: str) -> tuple[str, Sweep]:
    """Name and sweep of a registered name, or of "path/to/file.py:name". Raises UseError."""
    found = load_declared(reference, SWEEPS, Sweep, "NAME = Sweep(...)")
    return reference.rpartition(":")[2], found


def sweep_lines(name: str) -> Iterator[str]:
    """What a sweep varies, what it is after, and what it tries first: for `harness show`. A name, or file.py:name."""
    shown, sweep = load_sweep(name)
    yield f"{shown}: {sweep.question}"
    objectives = ", ".join(f"{objective.direction} {objective.name}" for objective in sweep.objectives)
    yield f"track {sweep.track}; {objectives}"
    yield from (f"  {key:<24} {dimension}" for key, dimension in sweep.space.items())
    for settings in sweep.known:
        yield "  known first: " + ", ".join(f"{key}={value}" for key, value in settings.items())
