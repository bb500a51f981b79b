"""The tables of a track: the main one, the further measures, and behind numbers of whole films their drift."""

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from reports.statistics.bootstrap import DRAWS, FEWEST
from reports.statistics.drift import CONTRAST_SHARE, LATE_SHARE
from reports.statistics.info import ReportInfo
from reports.statistics.lead_pairs import SameFate, same_fate
from reports.statistics.measures import (
    SEEN,
    Measure,
    decimals,
    digits_of,
    further_chunks,
    rewards_stillness,
    skipped_metrics,
    split_measures,
)
from reports.statistics.summary import UNDEFINED
from reports.statistics.trainings import shared
from reports.statistics.view import TrackView, once_a_view
from reports.tables.grid import NONE, SKIPPED, Cell, Grid
from reports.tables.labels import ARROWS, column_label, measure_label, metric_label
from reports.tables.notes import INTERVAL, VDE, flat_note, interval_name, lengths_note, weighted_note
from reports.tables.numbers import MINUS, number, signed, with_error, with_interval

ABSENT = "no result"
BOLD = "Bold: better than every other variant, the {interval} of each paired difference excluding 0."
FATES = "Same fate: Δ over the pairs of films that both kept their object to the end or both lost it, and how many they are."
SummaryRow = Mapping[Hashable, Any]


@once_a_view
def main_grids(view: TrackView) -> list[Grid]:
    """The track's main table and, where it shows numbers of whole films, the drift of those right behind.

    The main table has a row a variant: the headline measures, and beside the lead one its difference to the baseline.
    """
    measures, _ = split_measures(view.summary, view.track)
    return _with_drift(view, measures, title=view.track, main=True)


def _kind_of(chunk: Sequence[Measure]) -> str:
    return "what people see" if all(measure.metric in SEEN for measure in chunk) else "further"


@once_a_view
def further_grids(view: TrackView) -> list[Grid]:
    """The measures that the main table leaves out, at most eight a grid, and their drift as behind the main table."""
    grids = [
        _with_drift(view, chunk, title=f"{view.track}, {_kind_of(chunk)}", main=False)
        for chunk in further_chunks(view.summary, view.track)
    ]
    return [grid for together in grids for grid in together]


def drift_grid(view: TrackView, measures: Sequence[Measure]) -> Grid | None:
    """What the curves say beside the numbers of whole films among `measures`: a row a metric and variant.

    A number of the whole film hides drift: it is never shown without this. None where no such metric has a curve.
    """
    rows, info = view.rows[view.rows["variant"].isin(view.info.rows)], view.info
    curved = _curved(rows)
    metrics = [measure.metric for measure in measures if measure.statistic == "value" and measure.metric in curved]
    if not metrics:
        return None
    heads = ["metric", "variant", "whole film", f"Δ to {info.baseline}", "clip 1", "late", "contrast", "VDE"]
    lines = [line for metric in metrics for line in _drift_lines(rows[rows["metric"] == metric], metric, info)]
    shown = [Measure(metric, statistic) for metric in metrics for statistic in _DRIFT_STATISTICS]
    notes = _notes(rows, info, shown, [Measure(metric, "value") for metric in metrics])
    slope = f"slope per minute ({INTERVAL})" if rows["low"].notna().any() else "slope per minute"
    return Grid(f"{view.track}, drift", [*heads, slope], lines, notes, names=2, grouped=True)


def population_note(rows: pd.DataFrame, trained: bool = True) -> str:
    """What ± and n are, and what the standard error leaves out where films are of models `trained` here."""
    groups = {str(over): group["n"] for over, group in rows[rows["n"] > 0].groupby("over", sort=True)}
    sizes = [f"n = {_span(n)} {over if n.max() > 1 else over.removesuffix('s')}" for over, n in groups.items()]
    note = f"Mean ± standard error, {' or '.join(sizes)}"
    if "samples" in groups and trained:
        note += " of one seed: the variation between trainings is not in it"
    return f"{note}."


_DRIFT_STATISTICS = ("value", "first", "late", "contrast", "vde", "slope")


def _with_drift(view: TrackView, measures: list[Measure], title: str, main: bool) -> list[Grid]:
    grids = [_grid(view, measures, title, with_delta=main), drift_grid(view, measures)]
    return [grid for grid in grids if grid is not None]


def _drift_lines(rows: pd.DataFrame, metric: str, info: ReportInfo) -> list[list[Cell]]:
    """The lines of one metric; variants without a row in the summary have none."""
    direction = rows.loc[rows["statistic"] == "value", "direction"].iloc[0]
    name = Cell(f"{metric_label(metric)} {ARROWS[direction]}".strip())
    of = {statistic: by_variant(rows[rows["statistic"] == statistic]) for statistic in _DRIFT_STATISTICS}
    digits = {statistic: digits_of(rows[rows["statistic"] == statistic]) for statistic in _DRIFT_STATISTICS}
    digits |= dict.fromkeys(("value", "first", "late"), decimals(rows, metric))
    lines = []
    for variant in info.rows:
        if variant in of["value"]:
            whole, *rest = (mean_cell(of[part].get(variant), digits[part]) for part in _DRIFT_STATISTICS[:-1])
            delta = _delta_cell(of["value"].get(variant), digits["value"])
            sloping = slope_cell(of["slope"].get(variant), digits["slope"])
            lines.append([name, Cell(variant), whole, delta, *rest, sloping])
    return lines


def _grid(view: TrackView, measures: list[Measure], title: str, with_delta: bool) -> Grid:
    rows, info = view.rows, view.info
    lead = view.lead if with_delta else None
    heads, columns = ["variant"], [[Cell(variant) for variant in info.rows]]
    for measure in measures:
        of_measure = view.rows_of(measure)
        digits, found = decimals(view.summary, measure.metric), by_variant(of_measure)
        heads.append(f"{column_label(measure)} {ARROWS[of_measure['direction'].iloc[0]]}".strip())
        columns.append([mean_cell(found.get(variant), digits) for variant in info.rows])
        if measure == lead:
            heads.append(f"Δ to {info.baseline}")
            columns.append([_delta_cell(found.get(variant), digits) for variant in info.rows])
            if fates := same_fate(view):
                heads.append("Δ, same fate")
                columns.append([_fate_cell(fates.get(variant), digits) for variant in info.rows])
    notes = _notes(rows, info, measures, [lead] if lead else [])
    if lead and same_fate(view):
        notes.append(FATES)
    wholes = [measure.metric for measure in measures if measure.statistic == "value"]
    notes += [*weighted_note(wholes), *flat_note(metric for metric in wholes if metric not in _curved(rows))]
    if rewards_stillness(measures):
        notes.append("Dynamic degree was not scored: consistency alone rewards a film that stands still.")
    if with_delta:
        for reason, metrics in skipped_metrics(view.summary, view.track).items():
            notes.append(f"Not scored: {', '.join(map(metric_label, metrics))}: {reason}.")
    return Grid(title, heads, [list(row) for row in zip(*columns, strict=True)], notes)


def _curved(rows: pd.DataFrame) -> set[str]:
    """The metrics that have a curve over clips."""
    return set(rows.loc[(rows["statistic"] == "late") & (rows["status"] == "ok"), "metric"])


def by_variant(rows: pd.DataFrame) -> dict[str, SummaryRow]:
    """Rows of one measure."""
    return {str(row["variant"]): row for row in rows.to_dict("records")}


def mean_cell(row: SummaryRow | None, digits: int) -> Cell:
    """The mean with its standard error."""
    cell = _cell(row, lambda found: with_error(number(found["mean"], digits), found["se"], digits))
    return replace(cell, best=row is not None and bool(row["best"]))


def _delta_cell(row: SummaryRow | None, digits: int) -> Cell:
    def text(found: SummaryRow) -> str:
        if math.isnan(found["delta"]):
            return NONE
        return with_error(signed(found["delta"], digits), found["delta_se"], digits)

    return _cell(row, text)


def slope_cell(row: SummaryRow | None, digits: int) -> Cell:
    """The slope with its interval."""
    return _cell(row, lambda found: with_interval(found["mean"], found["low"], found["high"], digits))


def _fate_cell(fate: SameFate | None, digits: int) -> Cell:
    if fate is None:
        return Cell(NONE)
    count = f"({fate.pairs} of {fate.of})"
    delta = fate.difference
    return Cell(f"{with_error(signed(delta.mean, digits), delta.se, digits)} {count}" if fate.pairs else count)


def _cell(row: SummaryRow | None, text: Callable[[SummaryRow], str]) -> Cell:
    """What `text` says of the row, or why there is no number."""
    if row is None:
        return Cell(ABSENT)
    if row["status"] == SKIPPED:
        return Cell("undefined" if row["reason"] == UNDEFINED else SKIPPED, row["reason"])
    return Cell(text(row))


def _notes(rows: pd.DataFrame, info: ReportInfo, measures: Sequence[Measure], compared: Sequence[Measure]) -> list[str]:
    """Below a table of `measures`, which shows the differences of those `compared`."""
    of = pd.MultiIndex.from_frame(rows[["metric", "statistic"]])
    used, may_be_bold = rows[of.isin(measures)], _may_be_bold(rows[of.isin(measures)])
    notes = [population_note(used, info.trained)]
    if compared:
        notes.append(_delta_note(rows[of.isin(compared)], info, may_be_bold))
    if (
        may_be_bold
        and used["direction"].ne("none").any()
        and used.loc[used["variant"].isin(info.compared), "variant"].nunique() > 1
    ):
        notes.append(BOLD.format(interval=interval_name(info.alpha)))
    notes.append(_legend(used, measures))
    curves = used[(used["statistic"] != "value") & (used["status"] == "ok")].drop_duplicates("variant")
    lengths = zip(curves["clips"], curves["clip_seconds"], strict=True)
    notes += lengths_note(dict(zip(curves["variant"], lengths, strict=True)))
    if trivial := [variant for variant in info.trivial if variant in set(used["variant"])]:
        still = "they win on consistency alone by standing still, see dynamic degree / motion"
        notes.append(f"Trivial baselines ({', '.join(trivial)}): {still}.")
    for reason, group in used[used["reason"] != ""].groupby("reason", sort=True):
        where = "; ".join(_skipped_of(group, used))
        skipped = "Skipped" if (group["status"] == SKIPPED).all() else "Skipped in part"
        notes.append(f"{skipped}: {where}: {reason}.")
    for note, group in used[used["note"] != ""].groupby("note", sort=True):
        notes.append(f"{', '.join(dict.fromkeys(map(metric_label, group['metric'])))}: {note}.")
    found = set(rows["variant"])
    absent = [variant for variant in info.rows if variant not in found]
    if absent:
        notes.append(f"No result: {', '.join(absent)} (no scored film on this track).")
    return notes


def _may_be_bold(rows: pd.DataFrame) -> bool:
    """Whether of any measure all rows are tested by more than one training each, which the best of them must be."""
    tested = rows[rows["delta_n"] >= FEWEST]
    return not bool(tested.groupby(["metric", "statistic"])["delta_one_training"].any().all())


def _delta_note(rows: pd.DataFrame, info: ReportInfo, may_be_bold: bool) -> str:
    tested = rows[rows["delta_low"].notna()]
    told = [f"Δ: to {info.baseline}, of films paired by seed and sample"]
    if tested["trainings_sd"].notna().any():
        whence = "pooled over rows" if tested["delta_seeds"].max() > 1 else "as earlier runs of several seeds found it"
        told.append(f"its ± has the spread of trainings in it, {whence}")
    alike = [name for name in dict.fromkeys(tested["variant"]) if shared(info.trainings, name, info.baseline)]
    if alike:
        one = ", which is one and stands for no other" if tested["delta_seeds"].max() == 1 else ""
        told.append(f"{', '.join(alike)}: films of the training of {info.baseline}{one}")
    if tested["delta_one_training"].any():
        told.append(
            f"its ± by {DRAWS:,} bootstrap draws of samples; each variant was trained once, and how far another training would "
            f"end is not in it{'' if may_be_bold else ', so nothing is bold'}"
        )
    if info.looks > 1:
        told.append(f"one of at most {info.looks} looks, each of which may err in {info.alpha:.2%} of studies")
    if rows["delta_n"].between(1, FEWEST - 1).any():
        told.append(f"none from fewer than {FEWEST} samples, too few to trust")
    return f"{'; '.join(told)}."


def _skipped_of(rows: pd.DataFrame, used: pd.DataFrame) -> list[str]:
    """`SSIM of base`, and where only some of a metric's statistics are undefined `VDE of dynamic degree of base`."""
    says: dict[str, list[str]] = {}
    shown = used.groupby(["metric", "variant"]).size().to_dict()
    for (metric, variant), group in rows.groupby(["metric", "variant"], sort=False):
        whole = len(group) == shown[metric, variant]
        for statistic in ["value"] if whole else group["statistic"]:
            says.setdefault(measure_label(Measure(str(metric), str(statistic))), []).append(str(variant))
    return [f"{label} of {', '.join(variants)}" for label, variants in sorted(says.items())]


def _legend(rows: pd.DataFrame, measures: Sequence[Measure]) -> str:
    defined = {
        "late": f"late = mean over the last {LATE_SHARE * 100:.0f} % of clips",
        "drop": "drop = clip 1 minus late",
        "contrast": f"contrast = |first {MINUS} last {CONTRAST_SHARE * 100:.0f} % of clips|",
        "vde": VDE,
        "slope": "slope = least squares over clips",
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
