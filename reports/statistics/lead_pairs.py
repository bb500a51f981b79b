"""The lead measure's films, paired: on which of them a difference hangs, and what those say whose object had the same fate."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from reports.statistics.bootstrap import Difference
from reports.statistics.fragile import hangs_on
from reports.statistics.paired import Pairs, pairs
from reports.statistics.power import Compared
from reports.statistics.run_trainings import between, measure_trainings
from reports.statistics.summary import sample_statistics, values_by_statistic
from reports.statistics.trainings import Trainings
from reports.statistics.view import TrackView, once_a_view

FATE, KEPT = "object_kept", 0.5
"""A film has kept its object where it is found in at least half of the late frames."""


class SameFate(NamedTuple):
    """The difference over the pairs of films that both kept their object or both lost it, and how many they are, of how many."""

    difference: Difference
    pairs: int
    of: int


@once_a_view
def lead_trainings(view: TrackView) -> Trainings | None:
    """How far trainings differ in the lead measure; None where nothing tells."""
    if view.lead is None:
        return None
    return measure_trainings(_late(view, view.lead.metric), view.info, (view.track, *view.lead))


@once_a_view
def same_fate(view: TrackView) -> Mapping[str, SameFate]:
    """Variant -> its difference to the baseline on the lead measure over pairs of equal fate; empty where no fate is known.

    Of one object alone: of two the share that is kept does not say which one was lost.
    """
    if view.lead is None or view.info.objects != 1 or not (fates := _late(view, FATE)):
        return {}
    lost = {name: 1.0 * (kept < KEPT).where(kept.notna()) for name, kept in fates.items()}
    found, base = {}, lost.get(view.info.baseline)
    for name, paired in _paired(view).items():
        apart = pairs(lost.get(name), base)
        if paired.of_set or apart.samples != paired.samples or apart.table.shape != paired.table.shape:
            continue
        table = np.where(apart.table == 0, paired.table, np.nan)
        both = ~np.isnan(paired.table) & ~np.isnan(apart.table)
        alike = Pairs(table, paired.samples)
        shift = between(alike, lead_trainings(view), view.info, name, view.info.baseline)
        found[name] = SameFate(
            alike.difference(*shift, 1 - view.info.alpha),
            int((~np.isnan(table)).sum()),
            int(both.sum()),
        )
    return found


@once_a_view
def hanging(view: TrackView) -> Mapping[str, tuple[str, str]]:
    """Variant -> the two films without which its difference on the lead measure would not be called one; those that have such."""
    if view.lead is None:
        return {}
    rows, found = view.rows_of(view.lead), {}
    p_of, holm_of = (
        dict(zip(rows["variant"], rows[name].astype(float), strict=True)) for name in ("delta_p", "delta_holm")
    )
    for name, paired in _paired(view).items():
        p, corrected = p_of[name], holm_of[name]
        if paired.of_set or not corrected < view.info.alpha:
            continue
        factor = view.info.looks * (corrected / p if p else 1.0)
        shift = between(paired, lead_trainings(view), view.info, name, view.info.baseline)
        two = hangs_on(paired.table, *shift, factor)
        if two:
            found[name] = (paired.samples[two[0]], paired.samples[two[1]])
    return found


@once_a_view
def lead_rows(view: TrackView) -> list[Compared]:
    """The compared variants beside the baseline on the lead measure; none of what a set of films has."""
    base = view.info.baseline
    return [
        Compared(paired.table, *between(paired, lead_trainings(view), view.info, name, base))
        for name, paired in _paired(view).items()
        if not paired.of_set
    ]


@once_a_view
def _paired(view: TrackView) -> Mapping[str, Pairs]:
    """Variant -> its films beside the baseline's on the lead measure, of compared variants that share some."""
    if view.lead is None:
        return {}
    values = _late(view, view.lead.metric)
    base = values.get(view.info.baseline)
    others = (name for name in view.info.apart(view.track) if name != view.info.baseline)
    paired = {name: pairs(values.get(name), base) for name in others}
    return {name: one for name, one in paired.items() if one.table.size}


def _late(view: TrackView, metric: str) -> dict[str, "pd.Series[float]"]:
    """Variant -> the values of all films by the lead's statistic: the late value, or that of whole films."""
    statistic = view.lead.statistic if view.lead else "late"
    rows = view.scored[view.scored["metric"] == metric]
    found = values_by_statistic(sample_statistics(rows, {view.track: view.seconds}))
    return {variant: values for (_, variant, _, of), values in found.items() if of == statistic}
