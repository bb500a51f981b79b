"""What is found: whether a reading follows a drift, sees it as soon as people do, cries wolf, or even likes it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr  # type: ignore[import-untyped]

from benchmarks.arrays import Floats
from benchmarks.validation.readings import Reading
from benchmarks.validation.study import Readings, alarming

RESPONSE, POWER, FALSE_ALARMS = 0.95, 0.9, 0.05
LIKES, SURE, MATTERS = -0.5, 0.9, 0.5
_NO_SPREAD = 1e-12


@dataclass(frozen=True)
class Verdict:
    """What a reading says of a drift.

    `response`: Spearman's correlation of dose and reading over the doses of one film, mean over films, 1 where every larger dose
    reads worse; `least`: of the film where it is lowest. Without a better direction both are taken without their common sign.
    `power`: share of films with the just visible dose that raise an alarm, `false_alarms`: of those without a drift.
    `better`: share of films that read better with the greatest dose than without any; `gain`: by how much in the median, in
    standard deviations between films without a drift.
    """

    drift: str
    reading: Reading
    response: float
    least: float
    power: float
    false_alarms: float
    better: float
    gain: float

    @property
    def holds(self) -> bool:
        """Whether it does all that is asked of it."""
        return self.response >= RESPONSE and self.power >= POWER and self.false_alarms <= FALSE_ALARMS

    @property
    def rewards(self) -> bool:
        """Whether the drift makes films look better to it."""
        likes = self.response <= LIKES and self.better >= SURE and self.gain >= MATTERS
        return self.reading.direction != "none" and likes


def verdicts(found: Readings) -> list[Verdict]:
    """Of every drift and reading, the best reading of each drift first."""
    every = [
        _verdict(drift, reading, values, found)
        for (drift, reading), values in found.doses.items()
        if np.isfinite(found.limits[reading]).any()
    ]
    order: Mapping[str, int] = {drift: k for k, drift in enumerate(dict.fromkeys(drift for drift, _ in found.doses))}
    return sorted(every, key=lambda one: (order[one.drift], not one.holds, -min(one.power, one.response)))


def _verdict(drift: str, reading: Reading, values: Floats, found: Readings) -> Verdict:
    rows = np.array([_correlation(reading.worse(row)) for row in values])
    if reading.direction == "none":
        rows = rows * (np.sign(rows.sum()) or 1)
    limits = found.limits[reading]
    gained = reading.worse(found.undrifted[drift, reading]) - reading.worse(values[:, -1])
    return Verdict(
        drift,
        reading,
        response=float(rows.mean()),
        least=float(rows.min()),
        power=float(alarming(reading, found.visible[drift, reading], limits).mean()),
        false_alarms=float(alarming(reading, found.alarms[reading], limits).mean()),
        better=float((gained > 0).mean()),
        gain=float(np.median(gained)) / max(float(np.nanstd(limits)), _NO_SPREAD),
    )


def _correlation(values: Floats) -> float:
    """Spearman's with the doses, which only grow; 0 for one that is constant, or undefined at a dose."""
    if np.isnan(values).any() or np.ptp(values) == 0:
        return 0.0
    return float(spearmanr(np.arange(len(values)), values).statistic)
