"""Which film is shown to the metrics in which version: every scene has one part to play, so that nothing is judged on what it was
chosen by.

Of N: N scenes in every dose and without a drift; 2 N with the just visible dose of every drift; 4 N without one, which set the
limit of alarm; 4 N more without one, on which false alarms are counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.suites.suite import Films, Suite
from benchmarks.validation.films import Version, Versions
from benchmarks.validation.readings import Reading, joined, readings
from benchmarks.validation.visible import VISIBLE

PARTS = {"doses": 1, "visible": 2, "limits": 4, "alarms": 4}
WORST = 0.02  # of the films that set limits, which they leave outside
TRUE = Version("no drift", 0.0)


@dataclass(frozen=True)
class Study:
    """N is `films`; the doses of each drift, rising, the just visible one second."""

    films: int
    doses: Mapping[str, Floats]

    @property
    def scenes(self) -> int:
        """How many it needs."""
        return self.films * sum(PARTS.values())

    @property
    def shown(self) -> int:
        """How many versions of scenes there are."""
        return sum(len(self.versions(scene)) for scene in range(self.scenes))

    def part(self, name: str) -> range:
        """The scenes that play a part of `PARTS`."""
        before = list(PARTS.values())[: list(PARTS).index(name)]
        start = self.films * sum(before)
        return range(start, start + self.films * PARTS[name])

    def versions(self, scene: int) -> list[Version]:
        """What is shown of a scene."""
        if scene in self.part("doses"):
            return [TRUE, *(Version(name, float(dose)) for name, sizes in self.doses.items() for dose in sizes)]
        if scene in self.part("visible"):
            return [Version(name, float(sizes[VISIBLE])) for name, sizes in self.doses.items()]
        return [TRUE]

    def measure(
        self, films: Films, scene: int, suites: Sequence[Suite], seed: int, work: Path
    ) -> dict[Reading, Floats]:
        """Every reading of a scene's versions. [versions]"""
        shown = Versions(films, scene, self.versions(scene), seed, work / "videos")
        found = [readings(shown, suite, work / suite.name) for suite in suites]
        return {reading: values for one in found for reading, values in one.items()}

    def gather(self, measured: Sequence[dict[Reading, Floats]]) -> "Readings":
        """All scenes' readings by part."""
        true = {part: joined([measured[scene] for scene in self.part(part)]) for part in PARTS}
        names, sizes = list(self.doses), [len(one) for one in self.doses.values()]
        return Readings(
            undrifted={reading: values[:, 0] for reading, values in true["doses"].items()},
            doses={
                (name, reading): values[:, 1 + sum(sizes[:k]) : 1 + sum(sizes[: k + 1])]
                for reading, values in true["doses"].items()
                for k, name in enumerate(names)
            },
            visible={
                (name, reading): values[:, k]
                for reading, values in true["visible"].items()
                for k, name in enumerate(names)
            },
            limits={reading: values[:, 0] for reading, values in true["limits"].items()},
            alarms={reading: values[:, 0] for reading, values in true["alarms"].items()},
        )


@dataclass(frozen=True, eq=False)
class Readings:
    """By reading, or drift and reading: of the N scenes without a drift [N] and in every dose [N, doses], with a just visible one
    [2 N], and of the undrifted films that set limits [4 N] and count alarms [4 N]."""

    undrifted: Mapping[Reading, Floats]
    doses: Mapping[tuple[str, Reading], Floats]
    visible: Mapping[tuple[str, Reading], Floats]
    limits: Mapping[Reading, Floats]
    alarms: Mapping[Reading, Floats]


def alarming(reading: Reading, values: Floats, limits: Floats) -> Floats:
    """1 where a film reads worse than all but the worst 2 % of `limits` (or so unlike them, where neither way is better), else 0.

    A film without a reading never alarms, and nothing does where no limit has one.
    """
    known = np.sort(reading.worse(limits[~np.isnan(limits)]))
    if not len(known):
        return np.zeros(len(values))
    outside, found = int(WORST * len(known)), reading.worse(values)
    low = found < known[outside] if reading.direction == "none" else np.zeros(len(found), bool)
    return np.asarray((found > known[-1 - outside]) | low, dtype=np.float64)
