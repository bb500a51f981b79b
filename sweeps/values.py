"""What a trial's films are worth: their objectives, read from Score artifacts."""

import numpy as np
import numpy.typing as npt

from harness.core.store import Store
from harness.plan.child import Child
from harness.results.frame import scored_values
from reports.statistics.drift import late_clips
from sweeps.sweep import Objective


def film_values(store: Store, child: Child, track: str, objective: Objective) -> npt.NDArray[np.float64]:
    """The objective of each film. Raises ValueError for a metric that was not scored."""
    for signature in child.score[track].values():
        values = scored_values(store, signature).get(objective.metric)
        if values is None:
            continue
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
    return [name for signature in child.score[track].values() for name in scored_values(store, signature)]


def value(store: Store, child: Child, track: str, objective: Objective) -> float:
    """Mean over the films that define it. Raises ValueError if there is none."""
    values = film_values(store, child, track, objective)
    if np.all(np.isnan(values)):
        raise ValueError(f"{objective.name} is defined for no film")
    return float(np.nanmean(values))
