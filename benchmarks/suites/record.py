"""What a folder of scores holds: one suite's values of one set of films, and what they were made with."""

import json
from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.artifacts import SCORE_INFO, SCORES
from benchmarks.scorers.metric import Metric

WINDOW, PREFIX = "@window", "@prefix"
ALL_FILMS = "all"  # the name of what a metric of the whole set scores
View = Literal["film", "window", "prefix"]
_VALUES = "values"


@dataclass(frozen=True)
class ScoredMetric(Metric):
    """A metric as it was scored: weight file -> sha256, and the fingerprint of what films were compared with; "": nothing."""

    weights: Mapping[str, str]
    compared_with: str


@dataclass(frozen=True, eq=False, kw_only=True)
class ScoreRecord:
    """scores.json, and as `values` scores.npz: a float64 array a metric.

    A metric per clip is [S, n_clips], one per film [S], one of all films [1]; NaN where it is undefined. A metric per film and
    clip has `<metric>@window` and `<metric>@prefix` [S, n_clips] as well: the score of a clip's frames alone, and of all frames
    up to its end. `samples` are the films' names, `skipped` is metric -> why no film has it, `skipped_films` metric -> film ->
    why, `notes` what a reader of a metric must know, `warnings` are by film, `details` whatever else a suite records.
    """

    track: str
    track_version: int
    samples: tuple[str, ...]
    samples_hash: str
    fps: float
    resolution: str
    n_clips: int
    suite: str
    suite_version: str
    device: str
    metrics: Mapping[str, ScoredMetric]
    skipped: Mapping[str, str] = field(default_factory=dict)
    skipped_films: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, Any] = field(default_factory=dict)
    values: Mapping[str, Floats]

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The scores of `folder`.

        Raises:
            ValueError: there are none, or their description lacks something.
        """
        info, values = folder / SCORE_INFO, folder / SCORES
        absent = [path.name for path in (info, values) if not path.is_file()]
        if absent:
            raise ValueError(
                f"{folder}: received no {', '.join(absent)}, expected a folder of scores; score the films first"
            )
        found = json.loads(info.read_text(encoding="utf-8"))
        missing = [one.name for one in fields(cls) if _required(one) and one.name not in found]
        if missing:
            raise ValueError(
                f"{info}: received no {', '.join(missing)}, expected the description of scores; score again"
            )
        found["samples"] = tuple(found["samples"])
        found["metrics"] = {
            name: ScoredMetric(name, **{**about, "needs": tuple(about["needs"])})
            for name, about in found["metrics"].items()
        }
        with np.load(values, allow_pickle=False) as arrays:
            return cls(**found, values=dict(arrays))

    def write(self, folder: Path) -> None:
        """Into `folder`, the description last."""
        save_arrays(folder / SCORES, self.values)
        about = {one.name: getattr(self, one.name) for one in fields(self) if one.name != _VALUES}
        about["metrics"] = {
            name: {key: value for key, value in asdict(metric).items() if key != "name"}
            for name, metric in self.metrics.items()
        }
        (folder / SCORE_INFO).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")

    def rows(self, metric: str) -> tuple[str, ...]:
        """What the rows of the metric's arrays are of: the films, or all of them."""
        return (ALL_FILMS,) if self.metrics[metric].per == "set" else self.samples

    def unscored(self, metric: str) -> Mapping[str, str]:
        """The films that have no score of the metric, and why."""
        if metric in self.skipped:
            return dict.fromkeys(self.samples, self.skipped[metric])
        return self.skipped_films.get(metric, {})

    def views(self, metric: str) -> dict[View, Floats]:
        """The metric of whole films [rows], of each clip's window, and of all up to a clip's end, both [rows, n_clips], where
        there are such; none of a metric that was skipped."""
        if metric in self.skipped:
            return {}
        found: dict[View, Floats] = {}
        if metric in self.values:
            found["film" if self.values[metric].ndim == 1 else "window"] = self.values[metric]
        if metric + WINDOW in self.values:
            found["window"] = self.values[metric + WINDOW]
        if metric + PREFIX in self.values:
            found["prefix"] = self.values[metric + PREFIX]
        return found


def save_arrays(file: Path, arrays: Mapping[str, Floats]) -> None:
    """As float64, without pickles."""
    np.savez(file, allow_pickle=False, **{name: np.asarray(array, np.float64) for name, array in arrays.items()})


def _required(one: Any) -> bool:
    return one.name != _VALUES and one.default_factory is MISSING
