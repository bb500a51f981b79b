"""How the variants end on the lead measure, in as few columns as the question can be answered from."""

import math

from reports.statistics.lead_pairs import hanging
from reports.statistics.length import length_table
from reports.statistics.measures import Measure, decimals
from reports.statistics.view import TrackView
from reports.tables.answer import differences, kinds
from reports.tables.grid import NONE, Cell, Grid
from reports.tables.labels import ARROWS, column_label, metric_label, unit_suffix
from reports.tables.notes import interval_name
from reports.tables.numbers import number, with_error, with_interval
from reports.tables.track_tables import SummaryRow, by_variant, mean_cell, population_note

WORDS = {
    "worse": "worse",
    "better": "better",
    "same": "the same",
    "unsure": "may differ",
    "alike": "undecided",
    "few": "too few films",
}
"""What a table says of each of `answer.Kinds`."""
CLAIMED = (WORDS["worse"], WORDS["better"])


def ending_grid(view: TrackView) -> Grid | None:
    """A row a compared variant: its value, the difference to the baseline with its interval, and which of `WORDS` holds.

    None where no metric with a better direction was measured.
    """
    lead, info = view.lead, view.info
    if lead is None:
        return None
    rows, digits = view.rows_of(lead), decimals(view.summary, lead.metric)
    said = {
        str(variant): WORDS[kind]
        for kind, found in kinds(differences(view))._asdict().items()
        for variant in found["variant"]
    }
    said |= {name: f"{said[name]}, hangs on two films" for name in hanging(view) if said.get(name) in CLAIMED}
    said |= {info.baseline: "the baseline", **dict.fromkeys(info.twins(view.track), "the same films")}
    found = by_variant(rows)
    lines = [
        [
            Cell(variant),
            Cell(mean_cell(found.get(variant), digits).text),
            Cell(_difference(found.get(variant), digits)),
            Cell(said.get(variant, NONE)),
        ]
        for variant in info.compared
    ]
    delta = f"Δ to {info.baseline} ({interval_name(info.alpha)})"
    compared = rows[rows["variant"].isin(info.compared)]
    note = population_note(compared, info.trained)
    return Grid(view.track, ["variant", _head(view, lead), delta, "verdict"], lines, [note])


def length_grid(view: TrackView) -> Grid | None:
    """The lead metric of films cut at every 50 s, a row a compared variant; None for films of less than 100 s."""
    lead, lengths = view.lead, length_table(view)
    if lead is None or lengths.empty:
        return None
    rows = lengths[(lengths["metric"] == lead.metric) & lengths["variant"].isin(view.info.compared)]
    ends, digits = sorted(set(rows["seconds"])), decimals(view.summary, lead.metric)
    cells = {
        (row["variant"], row["seconds"]): Cell(with_error(number(row["mean"], digits), row["se"], digits))
        for row in rows.to_dict("records")
    }
    lines = [
        [Cell(name), *(cells.get((name, end), Cell(NONE)) for end in ends)]
        for name in view.info.compared
        if name in set(rows["variant"])
    ]
    heads = ["variant", *(f"{end:g} s" for end in ends)]
    label = _with_unit(metric_label(lead.metric), view.unit(lead.metric))
    note = f"{label[:1].upper()}{label[1:]}: mean over all clips up to there."
    return Grid(f"{view.track}, by length", heads, lines, [note])


def _head(view: TrackView, lead: Measure) -> str:
    """placed PSNR late, dB ↑."""
    row = view.rows_of(lead).iloc[0]
    return f"{_with_unit(column_label(lead), row['unit'])} {ARROWS[row['direction']]}".strip()


def _with_unit(label: str, unit: str) -> str:
    """Where there is one, and the label does not name it: a sync correlation is a correlation."""
    told = unit_suffix(unit).strip()
    return f"{label}, {told}" if told and told not in label else label


def _difference(row: SummaryRow | None, digits: int) -> str:
    if row is None or math.isnan(row["delta"]):
        return NONE
    return with_interval(row["delta"], row["delta_low"], row["delta_high"], digits)
