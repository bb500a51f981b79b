"""What a sweep varies and what it maximises; declared like an ablation, in a few lines."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness.registry import Registry

if TYPE_CHECKING:
    import optuna


@dataclass(frozen=True)
class Range:
    """Numbers between two ends, on a logarithmic scale if `log`."""

    low: float
    high: float
    log: bool = False

    def suggest(self, trial: "optuna.Trial", key: str) -> float:
        """A value for the trial."""
        return float(trial.suggest_float(key, self.low, self.high, log=self.log))


@dataclass(frozen=True)
class Sweep:
    """A search over dotted settings for the best late value of one metric on one track.

    `known` are settings worth trying first, such as the paper's.
    """

    about: str
    space: Mapping[str, Range]
    known: tuple[Mapping[str, float], ...]
    track: str
    metric: str


SWEEPS: Registry[Sweep] = Registry("sweep")

SWEEPS.add(
    "injection",
    Sweep(
        about="How often should each error be injected?",
        space={
            "injection.p_vid": Range(0.0, 1.0),
            "injection.p_img": Range(0.0, 1.0),
            "injection.p_noi": Range(0.0, 1.0),
            "injection.p_clean": Range(0.0, 0.9),
        },
        known=(
            {
                "injection.p_vid": 0.9,
                "injection.p_img": 0.9,
                "injection.p_noi": 0.01,
                "injection.p_clean": 0.5,
            },  # paper, code (Film)
            {
                "injection.p_vid": 0.9,
                "injection.p_img": 0.9,
                "injection.p_noi": 0.01,
                "injection.p_clean": 0.2,
            },  # code (others)
            {"injection.p_vid": 0.5, "injection.p_img": 0.5, "injection.p_noi": 0.5, "injection.p_clean": 0.5},  # notes
        ),
        track="consistent-50s",
        metric="object_kept",
    ),
)
