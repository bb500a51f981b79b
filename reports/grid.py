"""Grids: the tables of a report as text cells, before they become Markdown, LaTeX or HTML."""

import math
from dataclasses import dataclass

import pandas as pd

from reports.info import ReportInfo
from reports.measures import (
    ARROWS,
    Measure,
    column_label,
    decimals,
    lead_measure,
    metric_label,
    skipped_metrics,
    split_measures,
)
from reports.summary import CONTRAST_SHARE, LATE_SHARE

MINUS = "\N{MINUS SIGN}"
NONE = "\N{EN DASH}"
SKIPPED = "skipped"
ABSENT = "no result"
_WIDEST = 8


@dataclass(frozen=True)
class Cell:
    """A text, and the reason where it stands for a missing number."""

    text: str
    reason: str = ""


@dataclass(frozen=True)
class Grid:
    """A titled table: column heads, rows whose first cell is their name, and notes below."""

    title: str
    heads: list[str]
    rows: list[list[Cell]]
    notes: list[str]


def main_grid(summary: pd.DataFrame, info: ReportInfo, track: str) -> Grid:
    """A row a variant; the headline measures, and beside the lead measure its difference to the baseline."""
    measures, _ = split_measures(summary, track)
    return _grid(summary, info, track, measures, title=track, with_delta=True)


def further_grids(summary: pd.DataFrame, info: ReportInfo, track: str) -> list[Grid]:
    """The measures that the main table leaves out, in grids of at most eight."""
    _, measures = split_measures(summary, track)
    chunks = [measures[start : start + _WIDEST] for start in range(0, len(measures), _WIDEST)]
    return [_grid(summary, info, track, chunk, title=f"{track}, further", with_delta=False) for chunk in chunks]


def signed(value: float, digits: int) -> str:
    """With its sign, which of zero is plus."""
    return f"{round(value, digits) + 0.0:+.{digits}f}".replace("-", MINUS)


def with_error(text: str, se: float, digits: int) -> str:
    """`text ± se`, or the text alone where there is no standard error."""
    return text if math.isnan(se) else f"{text} ± {se:.{digits}f}"


def population_note(rows: pd.DataFrame) -> str:
    """What ± and n are, and what the standard error leaves out."""
    groups = [(str(over), group["n"]) for over, group in rows[rows["n"] > 0].groupby("over", sort=True)]
    sizes = [f"n = {_span(n)} {over if n.max() > 1 else over.removesuffix('s')}" for over, n in groups]
    note = f"Mean ± standard error, {' or '.join(sizes)}"
    if [over for over, _ in groups] == ["samples"]:
        note += " of one seed: the variation between trainings is not in it"
    return f"{note}."


def _grid(
    summary: pd.DataFrame, info: ReportInfo, track: str, measures: list[Measure], title: str, with_delta: bool
) -> Grid:
    rows = summary[summary["track"] == track]
    lead = lead_measure(summary, track) if with_delta else None
    heads, columns = ["variant"], [[Cell(variant) for variant in info.variants]]
    for measure in measures:
        of_measure = rows[(rows["metric"] == measure.metric) & (rows["statistic"] == measure.statistic)]
        digits = decimals(summary, measure.metric)
        heads.append(f"{column_label(measure)} {ARROWS[of_measure['direction'].iloc[0]]}".strip())
        columns.append([_cell(of_measure, variant, False, digits) for variant in info.variants])
        if measure == lead:
            heads.append(f"Δ to {info.baseline}")
            columns.append([_cell(of_measure, variant, True, digits) for variant in info.variants])
    notes = _notes(rows, info, measures, lead is not None)
    if with_delta:
        for reason, metrics in skipped_metrics(summary, track).items():
            notes.append(f"Not scored: {', '.join(map(metric_label, metrics))}: {reason}.")
    return Grid(title, heads, [list(row) for row in zip(*columns, strict=True)], notes)


def _cell(rows: pd.DataFrame, variant: str, of_delta: bool, digits: int) -> Cell:
    """The variant's mean or delta, or why there is none."""
    found = rows[rows["variant"] == variant]
    if found.empty:
        return Cell(ABSENT)
    row = found.iloc[0]
    if row["status"] == SKIPPED:
        return Cell(SKIPPED, row["reason"])
    if not of_delta:
        return Cell(with_error(f"{row['mean']:.{digits}f}".replace("-", MINUS), row["se"], digits))
    return Cell(NONE if math.isnan(row["delta"]) else with_error(signed(row["delta"], digits), row["delta_se"], digits))


def _notes(rows: pd.DataFrame, info: ReportInfo, measures: list[Measure], with_delta: bool) -> list[str]:
    used = rows[rows["metric"].isin({measure.metric for measure in measures})]
    notes = [population_note(used)]
    if with_delta:
        paired = f"Δ: paired with {info.baseline} by seed and sample"
        notes.append(f"{paired}; 95 % intervals by Student's t, one comparison at a time.")
    notes.append(_legend(used, measures))
    for reason, group in used[used["reason"] != ""].groupby("reason", sort=True):
        pairs = group.groupby("metric")["variant"].unique()
        where = "; ".join(f"{metric_label(str(metric))} of {', '.join(names)}" for metric, names in pairs.items())
        skipped = "Skipped" if (group["status"] == SKIPPED).all() else "Skipped in part"
        notes.append(f"{skipped}: {where}: {reason}.")
    absent = [variant for variant in info.variants if variant not in set(rows["variant"])]
    if absent:
        notes.append(f"No result: {', '.join(absent)} (no scored film on this track).")
    return notes


def _legend(rows: pd.DataFrame, measures: list[Measure]) -> str:
    defined = {
        "late": f"late = mean over the last {LATE_SHARE * 100:.0f} % of clips",
        "drop": "drop = clip 1 minus late",
        "contrast": f"contrast = |first {MINUS} last {CONTRAST_SHARE * 100:.0f} % of clips|",
    }
    used = {measure.statistic for measure in measures}
    unit_of = rows.drop_duplicates("metric").set_index("metric")["unit"]
    by_unit: dict[str, list[str]] = {}
    for metric in dict.fromkeys(measure.metric for measure in measures):
        by_unit.setdefault(str(unit_of[metric]), []).append(metric_label(metric))
    units = ", ".join(f"{unit} ({', '.join(names)})" for unit, names in by_unit.items() if unit)
    text = "; ".join([words for name, words in defined.items() if name in used] + [f"in {units}"] * bool(units))
    return f"{text[:1].upper()}{text[1:]}."


def _span(n: "pd.Series[int]") -> str:
    return str(n.min()) if n.min() == n.max() else f"{n.min()} to {n.max()}"
