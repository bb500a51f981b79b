"""What a report is made from: its results frame, the summary of it and its info together, and the same for one track."""

from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from reports.statistics.frame import WINDOW, validated
from reports.statistics.info import ReportInfo
from reports.statistics.measures import Measure, lead_measure, measured
from reports.statistics.summary import clip_counts, curves, film_seconds, summary_of


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

    def curves(self, metric: str, view: str = WINDOW) -> dict[str, pd.DataFrame]:
        """Variant -> its mean curve: index clip, columns mean and se."""
        if (metric, view) not in self._curves:
            self._curves[metric, view] = curves(self.scored, self.track, metric, view)
        return self._curves[metric, view]

    @cached_property
    def _curves(self) -> dict[tuple[str, str], dict[str, pd.DataFrame]]:
        return {}  # those that were asked for
