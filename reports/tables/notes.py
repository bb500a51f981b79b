"""Sentences below tables that both a report and the paper's tables need."""

from collections.abc import Iterable, Mapping

from reports.statistics.drift import SEGMENTS
from reports.statistics.measures import CONSISTENCIES, OFFICIAL
from reports.tables.labels import metric_label

INTERVAL = "95 % interval"
VDE = f"VDE = sum of the relative changes from the first of at most {SEGMENTS} segments, as LV-Bench weights them"
DRIFTLESS = ("gain", "eps", "forecast_plateau", "face_found")
"""Numbers of a film that say nothing of its course, so that no curve is missed."""
WEIGHTED = (
    "over videos: mean; VBench's own overall weights these two by frames, which is the same for films of one length"
)


def interval_name(alpha: float) -> str:
    """95 % interval, or that of a look which may err less often."""
    return f"{100 * (1 - alpha):.4g} % interval"


def weighted_note(metrics: Iterable[str]) -> list[str]:
    """How the consistencies among them are averaged, where VBench does otherwise."""
    found = [metric for metric in metrics if metric.removesuffix(OFFICIAL) in CONSISTENCIES]
    return [f"{_labels(found)} {WEIGHTED}."] if found else []


def flat_note(metrics: Iterable[str], whose: str = "") -> list[str]:
    """That nothing is known of the drift of metrics without a curve; those where none is missed are left out."""
    flat = [metric for metric in metrics if metric not in DRIFTLESS]
    drifts = "they drift" if len(flat) > 1 else "it drifts"
    return [f"{_labels(flat)}{whose}: no curve over clips, so how {drifts} is not known."] if flat else []


def lengths_note(clips: Mapping[str, tuple[int, float]]) -> list[str]:
    """That variants' clips differ in length; `clips`: variant -> how many its films have, and the seconds of each."""
    if len({number for number, _ in clips.values()}) < 2:
        return []
    by_number: dict[tuple[int, float], list[str]] = {}
    for variant, found in clips.items():
        by_number.setdefault(found, []).append(variant)
    lengths = [f"{', '.join(names)} {number} of {seconds:g} s" for (number, seconds), names in by_number.items()]
    spans = "clip 1 and statistics over clips compare different spans"
    return [f"Clips differ in length: {', '.join(lengths)}; {spans}."]


def _labels(metrics: Iterable[str]) -> str:
    labels = ", ".join(dict.fromkeys(map(metric_label, metrics)))
    return f"{labels[:1].upper()}{labels[1:]}"
