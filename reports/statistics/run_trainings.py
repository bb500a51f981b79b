"""Of each measure how far trainings shift a row's mean: pooled over the rows of a run, or as it is known from earlier ones."""

from collections.abc import Mapping

import pandas as pd

from reports.statistics.info import ReportInfo
from reports.statistics.paired import Pairs, of_set, pairs, table_of
from reports.statistics.trainings import Trainings, shared, weights

ByVariant = Mapping[str, "pd.Series[float]"]
Key = tuple[str, str, str]
"""Track, metric and statistic."""


def measure_trainings(values: ByVariant, info: ReportInfo, measure: Key) -> Trainings | None:
    """Of one measure's values by variant, over the rows that were trained; with one seed, what earlier runs found."""
    trained = (name for name in info.apart(measure[0]) if name not in info.untrained)
    rows = {name: values[name] for name in trained if name in values}
    rows = {name: own for name, own in rows.items() if not of_set(own)}
    base = values.get(info.baseline)
    differences = [pairs(own, base).table for name, own in rows.items() if name != info.baseline]
    found = Trainings.pooled(map(table_of, rows.values()), differences, weights(info.trainings, rows))
    return found or info.known.get(measure)


def run_trainings(values: Mapping[tuple[str, ...], "pd.Series[float]"], info: ReportInfo) -> dict[Key, Trainings]:
    """The same of all measures that it is known of; `values`: by track, variant, metric and statistic."""
    by_measure: dict[Key, dict[str, pd.Series[float]]] = {}
    for (track, variant, metric, statistic), own in values.items():
        by_measure.setdefault((track, metric, statistic), {})[variant] = own
    found = {measure: measure_trainings(rows, info, measure) for measure, rows in by_measure.items()}
    return {measure: one for measure, one in found.items() if one}


def between(
    paired: Pairs, shift: Trainings | None, info: ReportInfo, one: str, other: str
) -> tuple[Trainings | None, int]:
    """How far trainings shift the difference of two rows, and how often: once for each row that was trained here, by `shift`.

    Two rows of the same trainings are shifted alike, which takes `shift` out of their difference. What is left, how far that
    difference goes by the training, its own means of seeds tell; nothing does with one seed, and it speaks of that training.
    """
    if shared(info.trainings, one, other):
        own = None if paired.of_set else Trainings.pooled([paired.table])
        return own, int(own is not None)
    return shift, sum(name not in info.untrained for name in (one, other))
