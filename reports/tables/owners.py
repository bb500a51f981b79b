"""Drift under its owners' names: what films score by each published definition, of the values of their frames."""

import math
from collections.abc import Hashable, Sequence
from typing import Any

import pandas as pd

from reports.statistics.frame import SET
from reports.statistics.measures import Measure, digits_of
from reports.statistics.summary import estimate
from reports.statistics.view import TrackView, once_a_view
from reports.tables.grid import NONE, Cell, Grid
from reports.tables.labels import metric_label
from reports.tables.numbers import number, with_error
from reports.tables.track_tables import by_variant, population_note, slope_cell

NUMBERS = {
    "framepack15": "framepack15 = |first 15 % of frames \N{MINUS SIGN} last 15 %| (FramePack)",
    "rolling5s": "rolling5s = first 5 s \N{MINUS SIGN} last 5 s (Rolling Forcing: of imaging quality, on 0..100)",
    "vde": "vde = relative changes of tenths of the film from its first, weighted 9 to 1 (LV-Bench); ∞ where that is 0",
}
MOST = 6
"""Columns of segments; a long film has more."""
FLAW = (
    "* HeliosBench's published thresholds of aesthetic are not monotone (..., 0.45, 0.40, 0.45, 0.40): no score is rated 3 or 2, "
    "and one below 0.40 is rated 1"
)
Cells = dict[tuple[str, Hashable], Cell]


@once_a_view
def owners_grids(view: TrackView) -> list[Grid]:
    """The grids of `info.drifts` (harness/results/drifts.py: columns variant, track, seed, sample, metric, definition, at, value).

    One of the definitions that give a film one number, with the slope; one of segments, one of lengths, one of ratings; none
    where nothing was kept of the frames of the films that are scored.
    """
    found = _of_scored_films(view)
    if found.empty:
        return []
    grids = (_numbers(view, found), _segments(view, found), _lengths(view, found), _ratings(view, found))
    return [grid for grid in grids if grid is not None]


def _of_scored_films(view: TrackView) -> pd.DataFrame:
    """Those of films that the track's results have; ratings of all films of a variant only if no film was left out."""
    drifts = view.info.drifts
    if drifts is None:
        return pd.DataFrame()
    drifts, films = drifts[drifts["track"] == view.track], view.scored[["variant", "seed", "sample"]].drop_duplicates()
    known = pd.MultiIndex.from_frame(films.astype({"variant": str, "sample": str}))
    own = pd.Series(pd.MultiIndex.from_frame(drifts[["variant", "seed", "sample"]]).isin(known), index=drifts.index)
    of_sets = drifts["sample"] == SET
    return drifts[own | of_sets] if (own | of_sets).all() else drifts[own]


def _numbers(view: TrackView, found: pd.DataFrame) -> Grid | None:
    rows = found[found["definition"].isin(list(NUMBERS))]
    cells, note = _cells(rows, "definition", view)
    lines = []
    for metric, variant, names in _named(view, rows):
        slopes = view.rows_of(Measure(metric, "slope"))
        numbers = (cells.get((f"{metric}/{variant}", name), Cell(NONE)) for name in NUMBERS)
        lines.append([*names, *numbers, slope_cell(by_variant(slopes).get(variant), digits_of(slopes))])
    notes = [
        note,
        *(f"{text}." for text in NUMBERS.values()),
        "Slope: ours, of clips, with its 95 % interval if there is one.",
    ]
    return _grid(view, "drift under its owners' names", [*NUMBERS, "slope per minute"], lines, notes)


def _segments(view: TrackView, found: pd.DataFrame) -> Grid | None:
    """At most `MOST` of them, the first and the last among them."""
    rows = found[found["definition"] == "segments"]
    starts = sorted(set(rows["at"]))
    if len(starts) < 2:
        return None
    shown = starts[:: math.ceil((len(starts) - 1) / (MOST - 1))]
    shown = shown if shown[-1] == starts[-1] else [*shown, starts[-1]]
    cells, note = _cells(rows[rows["at"].isin(shown)], "at", view)
    seconds = starts[1] - starts[0]
    heads = [f"{start:g} s" for start in shown]
    notes = [note, f"segments = score of {seconds:g} s from there (LongLive)."]
    notes += [f"{len(shown)} of {len(starts)} segments."] if len(shown) < len(starts) else []
    return _grid(view, "segments", heads, _lines(view, rows, cells, shown), notes)


def _lengths(view: TrackView, found: pd.DataFrame) -> Grid | None:
    rows = found[found["definition"] == "svi_length"]
    lengths = sorted(set(rows["at"]))
    if not lengths:
        return None
    cells, note = _cells(rows, "at", view)
    heads = [f"{length:,.0f} frames" for length in lengths]
    notes = [note, "svi-length = score of so many first frames (SVI, figure 5)."]
    return _grid(view, "svi-length", heads, _lines(view, rows, cells, lengths), notes)


def _ratings(view: TrackView, found: pd.DataFrame) -> Grid | None:
    """HeliosBench's scores of a variant, means over films, each with its rating, and the weighted sum of what there is."""
    rated = found[found["definition"] == "helios4 rating"]
    if rated.empty:
        return None
    scores = found[found["definition"] == "helios4"].groupby(["variant", "metric"], observed=True)["value"].mean()
    ratings = rated.set_index(["variant", "metric"])["value"]
    metrics = [metric for metric in dict.fromkeys(rated["metric"]) if metric != "weighted"]
    lines = []
    for variant in (one for one in view.info.rows if (one, "weighted") in ratings):
        pairs = [(scores.get((variant, one), math.nan), ratings.get((variant, one), math.nan)) for one in metrics]
        cells = [Cell(NONE if math.isnan(rating) else f"{number(score, 3)}: {rating:.0f}") for score, rating in pairs]
        lines.append([Cell(variant), *cells, Cell(f"{ratings[variant, 'weighted']:.4f}")])
    flawed = ["aesthetic"] if "aesthetic" in metrics else []
    heads = [f"{metric_label(metric)}{'*' * (metric in flawed)}" for metric in metrics]
    notes = [
        "helios4: mean over films, and behind it HeliosBench's rating of that from 10 (best) to 1.",
        f"Weighted: the sum of {len(metrics)} of its nine ratings, as its script adds up what there is; of nine tens it is 9.96.",
        *(f"{FLAW}." for _ in flawed),
    ]
    return Grid(f"{view.track}, helios4", ["variant", *heads, "weighted"], lines, notes)


def _cells(rows: pd.DataFrame, column: str, view: TrackView) -> tuple[Cells, str]:
    """(metric/variant, value of the column) -> mean with standard error; and what ± and n are."""
    means: list[dict[str, Any]] = [
        {"metric": metric, "variant": variant, "key": key, **_estimate(films)}
        for (metric, variant, key), films in rows.groupby(["metric", "variant", column], observed=True, sort=False)
    ]
    table, cells = pd.DataFrame(means), Cells()
    finite = table[table["mean"].abs() < math.inf]
    by = ["metric", "key"] if column == "definition" else ["metric"]
    digits = {key: digits_of(part) for key, part in finite.groupby(by)}
    for row in means:
        key = (row["metric"], row["key"]) if column == "definition" else (row["metric"],)
        text = "∞" if math.isinf(row["mean"]) else with_error(number(row["mean"], digits[key]), row["se"], digits[key])
        cells[f"{row['metric']}/{row['variant']}", row["key"]] = Cell(text)
    return cells, population_note(table, view.info.trained)


def _estimate(films: pd.DataFrame) -> dict[str, Any]:
    """`estimate` of their values; infinite and without an error where one of them is."""
    values = films.set_index(["seed", "sample"])["value"]
    if (values.abs() < math.inf).all():
        return estimate(values)._asdict()
    return estimate(values.where(values.abs() < math.inf, 0.0))._replace(mean=math.inf, se=math.nan)._asdict()


def _named(view: TrackView, rows: pd.DataFrame) -> list[tuple[str, str, list[Cell]]]:
    """Metric, variant and the cells that name a line, in the order of the report's metrics and variants."""
    there = set(rows[["metric", "variant"]].itertuples(index=False, name=None))
    return [
        (metric, variant, [Cell(metric_label(metric)), Cell(variant)])
        for metric in view.metrics
        for variant in view.info.rows
        if (metric, variant) in there
    ]


def _lines(view: TrackView, rows: pd.DataFrame, cells: Cells, columns: Sequence[float]) -> list[list[Cell]]:
    return [
        [*names, *(cells.get((f"{metric}/{variant}", column), Cell(NONE)) for column in columns)]
        for metric, variant, names in _named(view, rows)
    ]


def _grid(view: TrackView, title: str, heads: Sequence[str], lines: list[list[Cell]], notes: list[str]) -> Grid | None:
    if not lines:
        return None
    return Grid(f"{view.track}, {title}", ["metric", "variant", *heads], lines, notes, names=2, grouped=True)
