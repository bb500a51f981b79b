"""Of each measure how far trainings shift a row's mean: pooled over the rows of a run, or as it is known from earlier ones."""

from collections.abc import Mapping

import pandas as pd

from reports.statistics.info import ReportInfo
from reports.statistics.paired import of_set, pairs, table_of
from reports.statistics.trainings import Trainings

ByVariant = Mapping[str, "pd.Series[float]"]
Key = tuple[str, str, str]
"""Track, metric and statistic."""


def measure_trainings(values: ByVariant, info: ReportInfo, measure: Key) -> Trainings | None:
    """Of one measure's values by variant, over the rows that were trained; with one seed, what earlier runs found."""
    rows = {name: values[name] for name in info.compared if name not in info.untrained and name in values}
    rows = {name: own for name, own in rows.items() if not of_set(own)}
    base = values.get(info.baseline)
    differences = [pairs(own, base).table for name, own in rows.items() if name != info.baseline]
    return Trainings.pooled(map(table_of, rows.values()), differences) or info.known.get(measure)


def run_trainings(values: Mapping[tuple[str, ...], "pd.Series[float]"], info: ReportInfo) -> dict[Key, Trainings]:
    """The same of all measures that it is known of; `values`: by track, variant, metric and statistic."""
    by_measure: dict[Key, dict[str, pd.Series[float]]] = {}
    for (track, variant, metric, statistic), own in values.items():
        by_measure.setdefault((track, metric, statistic), {})[variant] = own
    found = {measure: measure_trainings(rows, info, measure) for measure, rows in by_measure.items()}
    return {measure: one for measure, one in found.items() if one}


def sides(info: ReportInfo, *variants: str) -> int:
    """How many of these rows were trained here."""
    return sum(name not in info.untrained for name in variants) if info.trained else 0
