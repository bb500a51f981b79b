"""Which film is shown to the metrics in which version: every scene has one part to play, so that nothing is judged on what it was
chosen by.

Of N: N scenes in every dose and without a drift; 4 N with the just visible dose of every drift; 16 N without one, which set the
limit of alarm; 16 N more without one, on which false alarms are counted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.suites.suite import Films, Suite
from benchmarks.validation.drifts import DRIFTS, Drift
from benchmarks.validation.films import Version, Versions
from benchmarks.validation.readings import Reading, joined, readings
from benchmarks.validation.visible import VISIBLE, doses

PARTS = {"doses": 1, "visible": 4, "limits": 16, "alarms": 16}
TRUE = Version("no drift", 0.0)


@dataclass(frozen=True)
class Study:
    """N is `films`, the `drifts` by name; the doses of each for one film rise, and the just visible one is second."""

    films: int
    drifts: tuple[str, ...]
    doses: Callable[[Drift, Film], Floats] = doses

    @property
    def scenes(self) -> int:
        """How many it needs."""
        return self.films * sum(PARTS.values())

    def part(self, name: str) -> range:
        """The scenes that play a part of `PARTS`."""
        before = list(PARTS.values())[: list(PARTS).index(name)]
        start = self.films * sum(before)
        return range(start, start + self.films * PARTS[name])

    def versions(self, films: Films, scene: int) -> list[Version]:
        """What is shown of a scene."""
        if scene not in (*self.part("doses"), *self.part("visible")):
            return [TRUE]
        true = films.film(scene)
        sizes = {name: [float(dose) for dose in self.doses(DRIFTS[name], true)] for name in self.drifts}
        if scene in self.part("visible"):
            return [Version(name, every[VISIBLE]) for name, every in sizes.items()]
        return [TRUE, *(Version(name, dose) for name, every in sizes.items() for dose in every)]

    def measure(
        self, films: Films, scene: int, suites: Sequence[Suite], seed: int, work: Path
    ) -> dict[Reading, Floats]:
        """Every reading of a scene's versions. [versions]"""
        shown = Versions(films, scene, self.versions(films, scene), seed, work / "videos")
        found = [readings(shown, suite, work / suite.name) for suite in suites]
        return {reading: values for one in found for reading, values in one.items()}

    def gather(self, measured: Sequence[dict[Reading, Floats]]) -> "Readings":
        """All scenes' readings by part."""
        true = {part: joined([measured[scene] for scene in self.part(part)]) for part in PARTS}
        return Readings(
            undrifted={reading: values[:, 0] for reading, values in true["doses"].items()},
            doses={
                (name, reading): part
                for reading, values in true["doses"].items()
                for name, part in zip(self.drifts, np.split(values[:, 1:], len(self.drifts), axis=1), strict=True)
            },
            visible={
                (name, reading): values[:, k]
                for reading, values in true["visible"].items()
                for k, name in enumerate(self.drifts)
            },
            limits={reading: values[:, 0] for reading, values in true["limits"].items()},
            alarms={reading: values[:, 0] for reading, values in true["alarms"].items()},
        )


@dataclass(frozen=True, eq=False)
class Readings:
    """By reading, or drift and reading: of the N scenes without a drift [N] and in every dose [N, doses], with a just visible one
    [4 N], and of the undrifted films that set limits [16 N] and count alarms [16 N]."""

    undrifted: Mapping[Reading, Floats]
    doses: Mapping[tuple[str, Reading], Floats]
    visible: Mapping[tuple[str, Reading], Floats]
    limits: Mapping[Reading, Floats]
    alarms: Mapping[Reading, Floats]


def alarming(reading: Reading, values: Floats, limits: Floats) -> Floats:
    """1 where a film reads worse than every film of `limits` (or unlike them, where neither way is better), else 0. [S]

    A film without a reading never alarms, and nothing does where no limit has one.
    """
    known = reading.worse(limits[~np.isnan(limits)])
    if not len(known):
        return np.zeros(len(values))
    found = reading.worse(values)
    low = found < known.min() if reading.direction == "none" else np.zeros(len(found), bool)
    return np.asarray((found > known.max()) | low, dtype=np.float64)
