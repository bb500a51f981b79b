"""What a run of MLflow's says of itself, in Markdown."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.scorers.metric import Metric
from harness.core.signature import flat
from harness.core.text import markdown_table
from harness.declare.request import Request
from harness.plan.child import Child
from reports.artifacts import ANSWER, DOCUMENT, PAGE, TABLE
from reports.tables.labels import ARROWS

TEXT_LENGTH = 4800  # characters of a description: MLflow takes 5,000 of a tag


class MetricRow(NamedTuple):
    """One metric of one run's films: at the first clip and late (the same for a metric of whole films)."""

    track: str
    metric: str
    first: float
    late: float
    unit: str
    direction: str
    per_clip: bool


def parent_text(request: Request, report: Path | None) -> str:
    """The question and the command; once there is a report, where it is, its answers, and its tables as far as they fit."""
    parts = [f"**{request.experiment.question}**", f"Made by `{request.command}`"]
    parts.append(f"Baseline of all differences: `{request.experiment.baseline}`.")
    if report is None:
        return "\n\n".join(parts)
    parts.append(f"All of it: Artifacts, `report/{PAGE}`; as text: `report/{DOCUMENT}`.")
    ours, _, _ = (report / TABLE).read_text().partition("\n---\n")  # behind it: published figures
    room = TEXT_LENGTH - sum(len(part) + 2 for part in parts)
    for block in f"{(report / ANSWER).read_text()}\n{ours}".strip().split("\n\n"):
        if len(block) + 2 > room:
            parts.append("The rest does not fit here: see the report.")
            break
        parts.append(block)
        room -= len(block) + 2
    return "\n\n".join(parts)


def child_text(child: Child, baseline: Child | None, rows: Iterable[MetricRow]) -> str:
    """The settings in which it differs from the baseline, and its scores by now."""
    parts = [f"Variant **{child.variant.name}**, seed {child.seed}"]
    if baseline is not None and baseline is not child:
        parts.append(_differences(child, baseline))
    elif child.variant.set:
        parts.append(markdown_table(("setting", "value"), child.variant.set.items()))
    if scored := sorted(set(rows)):
        head = ("track", "metric", "clip 1", "last 20 % of clips", "unit")
        cells = [
            (r.track, f"{r.metric} {ARROWS[r.direction]}", f"{r.first:.4g}", f"{r.late:.4g}", r.unit) for r in scored
        ]
        parts.append(markdown_table(head, cells))
    return "\n\n".join(parts)


def _differences(child: Child, baseline: Child) -> str:
    ours, theirs = (flat(c.resolved.settings, "identity") for c in (child, baseline))
    differ = [(key, ours[key], theirs[key]) for key in ours if ours[key] != theirs[key]]
    if not differ:
        return f"The same settings as the baseline, {baseline.variant.name}."
    return markdown_table(("setting", "here", f"baseline ({baseline.variant.name})"), differ)


def rows_of(
    track: str, curves: Mapping[str, list[tuple[int, float]]], metrics: Mapping[str, Metric]
) -> list[MetricRow]:
    """A row for each metric that has a value, from what goes into MLflow as curves."""
    found = []
    for metric, about in metrics.items():
        points = curves.get(f"score/{track}/{metric}/window") or curves.get(f"score/{track}/{metric}")
        if points:
            late = curves.get(f"late/{track}/{metric}")
            last = (late or points)[-1][1]
            found.append(MetricRow(track, metric, points[0][1], last, about.unit, about.direction, late is not None))
    return found
