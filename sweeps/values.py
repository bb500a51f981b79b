"""What a trial's films are worth: their objectives, read from Score artifacts."""

import numpy as np
import numpy.typing as npt

from harness.core.store import Store
from harness.plan.pipeline import Child
from reports.statistics.drift import late_clips
from sweeps.sweep import Objective


def film_values(store: Store, child: Child, track: str, objective: Objective) -> npt.NDArray[np.float64]:
    """The objective of each film. Raises ValueError for a metric that was not scored."""
    for signature in child.score[track].values():
        with np.load(store.artifact("score", signature) / "scores.npz") as scores:
            if objective.metric in scores:
                values = np.asarray(scores[objective.metric], dtype=np.float64)
                if values.ndim == 1:
                    return values
                clips = values.shape[1]
                last = late_clips(clips) if objective.statistic == "late" else clips
                late = values[:, -last:]
                count = np.sum(~np.isnan(late), axis=1)
                return np.where(count > 0, np.nansum(late, axis=1) / np.maximum(count, 1), np.nan)
    raise ValueError(f"{objective.metric} was not scored on {track}")


def metrics(store: Store, child: Child, track: str) -> list[str]:
    """Names of all that was scored."""
    names: list[str] = []
    for signature in child.score[track].values():
        with np.load(store.artifact("score", signature) / "scores.npz") as scores:
            names.extend(scores)
    return names


def value(store: Store, child: Child, track: str, objective: Objective) -> float:
    """Mean over the films that define it. Raises ValueError if there is none."""
    values = film_values(store, child, track, objective)
    if np.all(np.isnan(values)):
        raise ValueError(f"{objective.name} is defined for no film")
    return float(np.nanmean(values))
