"""Orderings that papers published of two variants, written down before the run, and whether these films agree."""

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from reports.statistics.bootstrap import Difference, holm
from reports.statistics.measures import Measure, decimals
from reports.statistics.paired import pairs
from reports.statistics.run_trainings import between, measure_trainings
from reports.statistics.spending import unequal
from reports.statistics.summary import sample_statistics, values_by_statistic
from reports.statistics.view import TrackView, once_a_view
from reports.tables.grid import NONE, Cell, Grid
from reports.tables.labels import column_label
from reports.tables.notes import interval_name
from reports.tables.numbers import with_interval
from reports.tables.sources import ordering_lists, ordering_rows

OURS = "ours"
"""`basis` of a hypothesis that no paper published."""
AGREES, CONTRADICTS, OPEN, NOT_RUN = "agrees", "contradicts", "open", "not run"


class Ordering(NamedTuple):
    """That variant `better` ends better than `worse` on a measure (more, where the measure has no better direction).

    `track`: the one it speaks of, empty for all. `published`: figures or words of the source. `basis`: printed, stated, memory
    or ours. `known`: whether its outcome was known here when it was written down.
    """

    name: str
    better: str
    worse: str
    track: str
    measure: Measure
    source: str
    published: str
    basis: str
    known: bool


class Judged(NamedTuple):
    """An ordering and what these films say: better minus worse, None where a row is missing, and one of the four words."""

    ordering: Ordering
    found: Difference | None
    says: str


def orderings(name: str) -> list[Ordering]:
    """A list of tables/orderings.csv, as written.

    Raises:
        ValueError: no such list; names those that exist.
    """
    if name not in ordering_lists():
        raise ValueError(f"orderings: received {name!r}, expected one of {', '.join(ordering_lists())}")
    return [
        Ordering(
            row["name"], row["better"], row["worse"], row["track"], Measure(row["metric"], row["statistic"]),
            row["source"], row["published"], row["basis"], row["known"] == "yes",
        )
        for row in ordering_rows()
        if row["experiment"] == name
    ]  # fmt: skip


@once_a_view
def judged(view: TrackView) -> list[Judged]:
    """The orderings of `info.orderings` that speak of this track.

    One is agreed with or contradicted where its paired 95 % interval excludes 0, and still does once all that could be judged
    are accounted for (Holm).
    """
    listed = (
        [one for one in orderings(view.info.orderings) if one.track in ("", view.track)] if view.info.orderings else []
    )
    values = _values(view, {one.measure for one in listed})
    found = [_found(view, one, values.get(one.measure, {})) for one in listed]
    p = holm(np.array([np.nan if one is None else one.p for one in found]))
    return [
        Judged(one, of, _says(of, corrected, view.info.alpha, _sign(view, one.measure)))
        for one, of, corrected in zip(listed, found, p, strict=True)
    ]


def ordering_grid(view: TrackView) -> Grid | None:
    """A row an ordering; None where there is no list, or none of it speaks of this track."""
    rows = judged(view)
    if not rows:
        return None
    heads = [
        "ordering",
        "rows",
        "published in",
        "column",
        f"difference ({interval_name(view.info.alpha)})",
        "these films",
    ]
    notes = [_count(rows), "Difference: of films paired by seed and sample, the first row minus the second."]
    uneven = [row.ordering.name for row in rows if row.found and _uneven(view, row.ordering)]
    if uneven:
        notes.append(f"Between rows of unequal cost, and so no fair comparison: {', '.join(uneven)}.")
    return Grid(f"{view.track}, published orderings", heads, [_line(view, row) for row in rows], notes, names=4)


def _line(view: TrackView, row: Judged) -> list[Cell]:
    one, found = row.ordering, row.found
    source = one.source if one.basis == OURS else f"{one.source} ({one.basis})"
    digits = decimals(view.summary, one.measure.metric) if found else 0
    delta = with_interval(found.mean, found.low, found.high, digits) if found else NONE
    known = ", as known before" if one.known and row.says == AGREES else ""
    texts = (one.name, f"{one.better} over {one.worse}", source, column_label(one.measure), delta, row.says + known)
    return [Cell(text) for text in texts]


def _count(rows: list[Judged]) -> str:
    published = [row for row in rows if row.ordering.basis != OURS]
    times = Counter(row.says for row in published)
    known = sum(row.says == AGREES and row.ordering.known for row in published)
    before = f" ({known} of them known before)" if known else ""
    return (
        f"Of {len(published)} published orderings these films agree with {times[AGREES]}{before}, contradict "
        f"{times[CONTRADICTS]} and leave {times[OPEN]} open; {times[NOT_RUN]} lack a row."
    )


def _values(view: TrackView, measures: set[Measure]) -> dict[Measure, dict[str, "pd.Series[float]"]]:
    """Measure -> variant -> the values of all films, of the metrics that are asked for."""
    rows = view.scored[view.scored["metric"].isin({measure.metric for measure in measures})]
    found: dict[Measure, dict[str, pd.Series[float]]] = {}
    for (_, variant, *measure), values in values_by_statistic(
        sample_statistics(rows, {view.track: view.seconds})
    ).items():
        found.setdefault(Measure(*measure), {})[variant] = values
    return found


def _found(view: TrackView, one: Ordering, values: Mapping[str, "pd.Series[float]"]) -> Difference | None:
    paired = pairs(values.get(one.better), values.get(one.worse))
    shift = measure_trainings(values, view.info, (view.track, *one.measure))
    found = paired.difference(*between(paired, shift, view.info, one.better, one.worse), 1 - view.info.alpha)
    return found if found.n else None


def _sign(view: TrackView, measure: Measure) -> int:
    rows = view.rows_of(measure)
    return -1 if len(rows) and rows["direction"].iloc[0] == "lower" else 1


def _says(found: Difference | None, corrected: float, alpha: float, sign: int) -> str:
    if found is None:
        return NOT_RUN
    if not (found.significant and corrected < alpha):
        return OPEN
    return AGREES if found.mean * sign > 0 else CONTRADICTS


def _uneven(view: TrackView, one: Ordering) -> bool:
    spent = view.info.spent
    return bool(unequal(spent.get(one.better, {}), spent.get(one.worse, {})))
