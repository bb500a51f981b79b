"""What a report is made from: its results frame, the summary of it and its info together, and the same for one track."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, replace
from functools import cached_property, wraps
from typing import Any, TypeVar, TypeVarTuple

import pandas as pd

from reports.statistics.frame import validated
from reports.statistics.info import ReportInfo
from reports.statistics.measures import Measure, lead_measure, measured
from reports.statistics.run_trainings import run_trainings
from reports.statistics.summary import (
    clip_counts,
    curves,
    film_seconds,
    sample_statistics,
    summary_of,
    values_by_statistic,
)
from reports.statistics.trainings import Trainings

Asked = TypeVarTuple("Asked")
Found = TypeVar("Found")


def once_a_view(compute: "Callable[[TrackView, *Asked], Found]") -> "Callable[[TrackView, *Asked], Found]":
    """Computed the first time that it is asked of a view, and kept as long as the view: several tables and figures ask."""

    @wraps(compute)
    def kept(view: "TrackView", *asked: *Asked) -> Found:
        key = (compute, asked)
        if key not in view._kept:
            view._kept[key] = compute(view, *asked)
        found: Found = view._kept[key]
        return found

    return kept


@dataclass(frozen=True, eq=False)
class ReportView:
    """A frame as `validated` returns it, what `summarise` says of it, and what a report must know beside both."""

    frame: pd.DataFrame
    summary: pd.DataFrame
    info: ReportInfo

    @classmethod
    def of(cls, frame: pd.DataFrame, info: ReportInfo) -> "ReportView":
        """
        Raises:
            ValueError: a frame that `validated` refuses.
        """
        frame = validated(frame, info)
        return cls(frame, summary_of(frame, info), info)

    @cached_property
    def trainings(self) -> dict[tuple[str, str, str], Trainings]:
        """(track, metric, statistic) -> how far trainings differ in it, as this report's own seeds say."""
        values = values_by_statistic(sample_statistics(self.frame, film_seconds(self.frame, self.info)))
        return run_trainings(values, replace(self.info, known={}))

    @cached_property
    def tracks(self) -> "list[TrackView]":
        """In the order of `info.tracks`."""
        return [TrackView(self.frame, self.summary, self.info, track) for track in self.info.tracks]


@dataclass(frozen=True, eq=False)
class TrackView:
    """One track of a report; frame and summary hold the other tracks too."""

    frame: pd.DataFrame
    summary: pd.DataFrame
    info: ReportInfo
    track: str

    @cached_property
    def scored(self) -> pd.DataFrame:
        """The track's rows of the frame that hold a score."""
        return self.frame[(self.frame["track"] == self.track) & (self.frame["status"] == "ok")]

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The track's rows of the summary."""
        return self.summary[self.summary["track"] == self.track]

    def rows_of(self, measure: Measure) -> pd.DataFrame:
        """The track's rows of a measure, a row a variant; those of skipped variants too."""
        return self.rows[(self.rows["metric"] == measure.metric) & (self.rows["statistic"] == measure.statistic)]

    @cached_property
    def lead(self) -> Measure | None:
        """`lead_measure` of the track."""
        return lead_measure(self.summary, self.track)

    @cached_property
    def metrics(self) -> list[str]:
        """The metrics that at least one variant has, the lead's first."""
        leading = [self.lead.metric] if self.lead else []
        return list(dict.fromkeys([*leading, *(measure.metric for measure in measured(self.summary, self.track))]))

    def unit(self, metric: str) -> str:
        """Empty for a metric without one."""
        return str(self.summary.loc[self.summary["metric"] == metric, "unit"].iloc[0])

    @cached_property
    def clips(self) -> dict[str, int]:
        """Variant -> the number of clips of its films; those without any curve are left out."""
        return {variant: count for (_, variant), count in clip_counts(self.scored).items()}

    @cached_property
    def seconds(self) -> float:
        """How long the films are; 0 where there is no curve."""
        return film_seconds(self.scored, self.info).get(self.track, 0.0)

    @once_a_view
    def curves(self, metric: str, view: str) -> dict[str, pd.DataFrame]:
        """Variant -> its mean curve: index clip, columns mean and se."""
        return curves(self.scored, self.track, metric, view)

    @cached_property
    def _kept(self) -> dict[Hashable, Any]:
        return {}  # by `once_a_view`
