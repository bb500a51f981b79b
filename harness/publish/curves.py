"""Scores as curves of MLflow's."""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Floats
from reports.statistics.drift import curve_statistics


def score_curves(values: Mapping[str, Floats], track: str) -> dict[str, list[tuple[int, float]]]:
    """Curves of a record's values by MLflow key `score/<track>/<metric>`: (clip, mean over the samples without NaN).

    A metric of whole films is one point at step 0; clips that no sample defines have no point. `<metric>@window` becomes
    `<metric>/window`. Each curve also has its late mean, as in reports, at `late/<track>/<metric>`: one point.
    """
    curves = {}
    for metric, scores in values.items():
        per_clip = scores[:, None] if scores.ndim == 1 else scores
        defined = (~np.isnan(per_clip)).sum(axis=0)
        means = np.nansum(per_clip, axis=0) / np.maximum(defined, 1)
        key = metric.replace("@", "/")
        curves[f"score/{track}/{key}"] = [(int(clip), _told(means[clip])) for clip in np.flatnonzero(defined)]
        if scores.ndim > 1 and defined.any() and not metric.endswith("@prefix"):
            films = curve_statistics(scores, np.full(len(scores), scores.shape[1]), 1.0)["late"]
            if not np.isnan(films).all():
                curves[f"late/{track}/{key.removesuffix('/window')}"] = [(0, _told(np.nanmean(films)))]
    return curves


def _told(value: np.floating) -> float:
    """To six digits: MLflow's tables and charts show all that there are."""
    return float(f"{value:.6g}")
