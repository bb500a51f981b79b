"""Measures (a metric and its statistic): which lead a report, how they are called, which belong in the main table."""

from typing import NamedTuple

import pandas as pd

MAIN_MEASURES = 7
"""With the variant's name and the difference to the baseline: nine columns, about as wide as a terminal."""


class Measure(NamedTuple):
    """A metric and one of its statistics, as in `reports.summary`."""

    metric: str
    statistic: str


_VBENCH = (
    "subject_consistency", "background_consistency", "dynamic_degree", "imaging_quality", "aesthetic_quality",
    "motion_smoothness",
)  # fmt: skip
_VBENCH_MEASURES = tuple(Measure(name, statistic) for name in _VBENCH for statistic in ("value", "late"))
_DRIFT = ("colour_drift", "contrast_drift", "sharpness_drift")
_DRIFT_MEASURES = tuple(Measure(name, "late") for name in _DRIFT)
_MOTION = Measure("motion", "late")
_PROBE = (Measure("gain", "value"), Measure("eps", "value"))

# A still film flatters every measure of drift, so motion stays in the main table, whatever else is measured.
_WITH_TRUTH = (
    Measure("background_psnr", "first"),
    Measure("background_psnr", "late"),
    Measure("background_psnr", "drop"),
    Measure("subject_similarity", "late"),
    Measure("object_kept", "late"),
    _MOTION,
    *_PROBE,
    Measure("ssim", "late"),
    Measure("psnr", "late"),
    Measure("colour_drift", "contrast"),
    *_DRIFT_MEASURES,
    *_VBENCH_MEASURES,
)
_WITHOUT_TRUTH = (*_DRIFT_MEASURES, _MOTION, *_VBENCH_MEASURES, *_PROBE, Measure("colour_drift", "contrast"))

_METRIC_LABELS = {
    "background_psnr": "background PSNR",
    "psnr": "PSNR",
    "ssim": "SSIM",
    "fvd": "FVD",
    "sync_c": "Sync-C",
    "sync_d": "Sync-D",
}
_SHORT = {"background PSNR": "bg PSNR", "subject similarity": "subject", "object kept": "object"}
_STATISTIC_LABELS = {"first": "clip 1", "late": "late", "drop": "drop", "contrast": "contrast", "value": ""}
_DIMENSIONLESS = ("", "0..1", "cosine", "index", "ratio", "raw", "relative", "share")
ARROWS = {"higher": "↑", "lower": "↓", "none": ""}


def unit_suffix(unit: str) -> str:
    """What follows a number in running text: ` dB`, nothing after a ratio or a share."""
    return "" if unit in _DIMENSIONLESS else f" {unit}"


def metric_label(metric: str) -> str:
    """The metric's name for people: `background_psnr` -> background PSNR."""
    return _METRIC_LABELS.get(metric, metric.replace("_", " "))


def measure_label(measure: Measure) -> str:
    """In running text: late background PSNR, gain."""
    label = metric_label(measure.metric)
    return {
        "first": f"{label} of clip 1",
        "late": f"late {label}",
        "drop": f"drop of {label}",
        "contrast": f"start-to-end contrast of {label}",
    }.get(measure.statistic, label)


def column_label(measure: Measure) -> str:
    """At the head of a column: bg PSNR late, gain."""
    label = metric_label(measure.metric)
    return f"{_SHORT.get(label, label)} {_STATISTIC_LABELS[measure.statistic]}".strip()


def measured(summary: pd.DataFrame, track: str) -> list[Measure]:
    """The measures that at least one variant of the track has, the most telling first."""
    rows = summary[(summary["track"] == track) & (summary["status"] == "ok")]
    found = list(dict.fromkeys(Measure(*pair) for pair in rows[["metric", "statistic"]].itertuples(index=False)))
    preferred = _WITH_TRUTH if Measure("background_psnr", "late") in found else _WITHOUT_TRUTH
    known = [measure for measure in preferred if measure in found]
    known_metrics = {measure.metric for measure in known}
    others = [measure for measure in found if measure.metric not in known_metrics]
    return known + [measure for measure in others if measure.statistic in ("late", "value")]


def lead_measure(summary: pd.DataFrame, track: str) -> Measure | None:
    """The measure that answers the question: the late value of the first metric with a better direction.

    A metric with a curve goes before one with a value a film; None if nothing with a direction was measured.
    """
    rows = summary[(summary["track"] == track) & (summary["direction"] != "none")]
    directed = set(rows["metric"])
    candidates = [measure for measure in measured(summary, track) if measure.metric in directed]
    for statistic in ("late", "value"):
        for measure in candidates:
            if measure.statistic == statistic:
                return measure
    return None


def split_measures(summary: pd.DataFrame, track: str) -> tuple[list[Measure], list[Measure]]:
    """The measures of the main table, with the lead among them, and the further ones."""
    measures, lead = measured(summary, track), lead_measure(summary, track)
    if lead is not None and lead not in measures[:MAIN_MEASURES]:
        measures = [lead, *(measure for measure in measures if measure != lead)]
    return measures[:MAIN_MEASURES], measures[MAIN_MEASURES:]


def skipped_metrics(summary: pd.DataFrame, track: str) -> dict[str, list[str]]:
    """Reason -> the metrics that no variant of the track has."""
    rows = summary[summary["track"] == track]
    known = {measure.metric for measure in measured(summary, track)}
    absent = rows[~rows["metric"].isin(known)]
    found: dict[str, list[str]] = {}
    for metric, group in absent.groupby("metric", sort=True):
        found.setdefault("; ".join(sorted(set(group["reason"]))), []).append(str(metric))
    return found


def decimals(summary: pd.DataFrame, metric: str) -> int:
    """Decimals that show the first digit of the metric's typical standard error, the same in every table of a report.

    Without standard errors, two digits below the largest value's first.
    """
    rows = summary[(summary["metric"] == metric) & (summary["statistic"] != "contrast")]
    scale = rows.loc[rows["se"] > 0, "se"].median()
    if pd.isna(scale):
        size = rows["mean"].abs().max()
        scale = size / 100 if size > 0 else 0.01
    exponent = f"{scale:.0e}".partition("e")[2]
    return min(max(-int(exponent), 1), 4)
