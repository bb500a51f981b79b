"""How far each variant drifts beside what that cost, in one table, where variants cost differently."""

from reports.statistics.measures import Measure, decimals, digits_of
from reports.statistics.spending import BEFORE_FIRST, EVALUATIONS, TRAINING_TOKENS, all_alike
from reports.statistics.view import TrackView, once_a_view
from reports.tables.cost_table import LABELS, fairness, spent_cell
from reports.tables.grid import Cell, Grid
from reports.tables.labels import ARROWS, column_label
from reports.tables.notes import INTERVAL
from reports.tables.track_tables import by_variant, mean_cell, slope_cell

_COSTS = (BEFORE_FIRST, EVALUATIONS, TRAINING_TOKENS)
_BESIDE = (
    Measure("object_kept", "late"),
    Measure("motion", "late"),
    Measure("gain", "value"),
    Measure("eps", "value"),
)


@once_a_view
def drift_and_cost_grid(view: TrackView) -> Grid | None:
    """A row a compared variant: the lead measure late and its slope, what else tells of drift, latency and cost.

    None without a lead measure that has a curve, and where all variants cost the same: the main table says the rest.
    """
    info, lead = view.info, view.lead
    if all_alike(info) or lead is None or lead.statistic != "late":
        return None
    heads, columns = ["variant"], [[Cell(variant) for variant in info.compared]]
    for measure in (lead, Measure(lead.metric, "slope"), *_BESIDE):
        rows = view.rows_of(measure)
        if not (rows["status"] == "ok").any():
            continue
        found, sloping = by_variant(rows), measure.statistic == "slope"
        digits = digits_of(rows) if sloping else decimals(view.summary, measure.metric)
        cell = slope_cell if sloping else mean_cell
        head = f"{column_label(measure)} a minute ({INTERVAL})" if sloping else column_label(measure)
        heads.append(f"{head} {ARROWS[rows['direction'].iloc[0]]}".strip())
        columns.append([cell(found.get(variant), digits) for variant in info.compared])
    heads += [LABELS[name] for name in _COSTS]
    columns += [[spent_cell(info, variant, name) for variant in info.compared] for name in _COSTS]
    notes = ["Slope: of the least-squares line over a film's clips.", fairness(info)]
    return Grid(f"{view.track}, drift and cost", heads, [list(row) for row in zip(*columns, strict=True)], notes)
