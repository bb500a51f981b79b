"""Which film is shown to the metrics in which version: every scene has one part to play, so that nothing is judged on what it was
chosen by.

Of N: N scenes in every dose and without a drift; 4 N with the just visible dose of every drift; 16 N without one, which set the
limit of alarm; 16 N more without one, on which false alarms are counted. A scene in which a drift cannot be seen is left out of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

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


class Measured(NamedTuple):
    """The drifts that can be seen in a scene, and every reading of its versions [versions]."""

    drifts: tuple[str, ...]
    readings: dict[Reading, Floats]


@dataclass(frozen=True)
class Study:
    """N is `films`, the `drifts` by name; the doses of each for one film rise, and the just visible one is second. None: there is
    none that can be seen."""

    films: int
    drifts: tuple[str, ...]
    doses: Callable[[Drift, Film], Floats | None] = doses

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
        found = {name: self.doses(DRIFTS[name], true) for name in self.drifts}
        sizes = {name: [float(dose) for dose in every] for name, every in found.items() if every is not None}
        if scene in self.part("visible"):
            return [Version(name, every[VISIBLE]) for name, every in sizes.items()]
        return [TRUE, *(Version(name, dose) for name, every in sizes.items() for dose in every)]

    def measure(self, films: Films, scene: int, suites: Sequence[Suite], seed: int, work: Path) -> Measured:
        """Every reading of a scene's versions."""
        versions = self.versions(films, scene)
        drifts = tuple(dict.fromkeys(one.drift for one in versions if one != TRUE))
        if not versions:
            return Measured(drifts, {})
        shown = Versions(films, scene, versions, seed, work / "videos")
        found = [readings(shown, suite, work / suite.name) for suite in suites]
        return Measured(drifts, {reading: values for one in found for reading, values in one.items()})

    def left_out(self, measured: Sequence[Measured]) -> dict[str, int]:
        """Drift -> in how many of the scenes that should show it cannot be seen; of those drifts that lack any."""
        scenes = [measured[scene] for part in ("doses", "visible") for scene in self.part(part)]
        found = {name: sum(name not in one.drifts for one in scenes) for name in self.drifts}
        return {name: count for name, count in found.items() if count}

    def gather(self, measured: Sequence[Measured]) -> "Readings":
        """All scenes' readings by part; without those drifts that no scene of one part shows."""
        true = {part: joined([measured[scene].readings for scene in self.part(part)]) for part in ("limits", "alarms")}
        undrifted, doses, visible = {}, {}, {}
        for name in self.drifts:
            dosed, just = (
                [measured[scene] for scene in self.part(part) if name in measured[scene].drifts]
                for part in ("doses", "visible")
            )
            for reading in true["limits"] if dosed and just else ():
                undrifted[name, reading] = np.array([one.readings[reading][0] for one in dosed])
                doses[name, reading] = np.stack([_share(one, name, one.readings[reading][1:]) for one in dosed])
                visible[name, reading] = np.concatenate([_share(one, name, one.readings[reading]) for one in just])
        return Readings(
            undrifted=undrifted,
            doses=doses,
            visible=visible,
            limits={reading: values[:, 0] for reading, values in true["limits"].items()},
            alarms={reading: values[:, 0] for reading, values in true["alarms"].items()},
        )


def _share(one: Measured, drift: str, values: Floats) -> Floats:
    """Of the values of all drifts, those of one."""
    return np.split(values, len(one.drifts))[one.drifts.index(drift)]


@dataclass(frozen=True, eq=False)
class Readings:
    """By drift and reading: of the N scenes without a drift [N] and in every dose [N, doses], and with a just visible one [4 N],
    less those in which it cannot be seen. By reading: of the undrifted films that set limits [16 N] and count alarms [16 N]."""

    undrifted: Mapping[tuple[str, Reading], Floats]
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
