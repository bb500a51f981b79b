"""Quality against length (the paper's Fig. 5): what a film had scored if it had ended after 50 s, 100 s, ...

A film made clip by clip begins with every shorter film of its seed, so one long film tells all lengths and none is made twice.
"""

import math
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from reports.figures.curves import PANELS_A_ROW, Panel, panel_title
from reports.figures.style import colour, dashes, figure_style, label_points
from reports.statistics.frame import PREFIX, WINDOW
from reports.statistics.info import ReportInfo
from reports.statistics.measures import lead_measure, measured
from reports.statistics.summary import clip_counts, curves, film_seconds

STEP_SECONDS = 50.0
"""800 frames at 16 fps."""
_FILM = ["variant", "seed", "sample"]


def length_table(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, track: str) -> pd.DataFrame:
    """Columns track, metric, variant, seconds, frames, mean, se of films cut at the clip's end nearest to every 50 s.

    The metric's own score of all frames up to there, or, where it has none, the mean over the clips up to there; mean and
    standard error over seeds, or over the samples of one seed. No rows for a film of less than 100 s.
    """
    here = frame[(frame["track"] == track) & (frame["status"] == "ok")]
    clips, lead = clip_counts(frame), lead_measure(summary, track)
    metrics = [*([lead.metric] if lead else []), *(measure.metric for measure in measured(summary, track))]
    rows: list[dict[str, object]] = []
    whole = film_seconds(frame, info).get(track, 0.0)
    for metric in dict.fromkeys(metrics):
        so_far = _so_far(here[here["metric"] == metric])
        for variant, curve in curves(so_far, track, metric, PREFIX).items():
            clip_seconds = whole / clips[track, variant]
            for clip in _cuts(len(curve), clip_seconds):
                seconds = (clip + 1) * clip_seconds
                about = {"track": track, "metric": metric, "variant": variant}
                rows.append(about | {"seconds": seconds, "frames": round(seconds * info.fps), **curve.loc[clip]})
    return pd.DataFrame(rows, columns=["track", "metric", "variant", "seconds", "frames", "mean", "se"])


def _cuts(clips: int, clip_seconds: float) -> list[int]:
    """The clips whose ends are nearest to 50 s, 100 s, ...; none where there is but one such length."""
    lengths = int(round(clips * clip_seconds, 6) / STEP_SECONDS + 0.02)
    cuts = [min(round(STEP_SECONDS * n / clip_seconds), clips) - 1 for n in range(1, lengths + 1)]
    return cuts if len(cuts) > 1 else []


def _so_far(rows: pd.DataFrame) -> pd.DataFrame:
    """One metric's rows of view prefix: as scored, or the running mean of its clips."""
    scored = rows[rows["view"] == PREFIX]
    if len(scored):
        return scored
    clips = rows[rows["view"] == WINDOW].sort_values([*_FILM, "clip"])
    means = clips.groupby(_FILM, observed=True)["value"].expanding().mean()
    return clips.assign(view=PREFIX, value=means.to_numpy())


def length_figure(table: pd.DataFrame, frame: pd.DataFrame, info: ReportInfo) -> Figure | None:
    """A panel a metric of a track's `length_table`, the lead's wide and with the variants' names; None for no rows."""
    metrics = list(dict.fromkeys(table["metric"]))
    if not metrics:
        return None
    below = math.ceil((len(metrics) - 1) / PANELS_A_ROW)
    with figure_style():
        figure = Figure(figsize=(9.6, 3.5 + 2.1 * below), layout="constrained")
        grid = figure.add_gridspec(1 + below, PANELS_A_ROW, height_ratios=[3.4, *[2.0] * below])
        for index, metric in enumerate(metrics):
            place = grid[0, :] if index == 0 else grid[1 + (index - 1) // PANELS_A_ROW, (index - 1) % PANELS_A_ROW]
            axes, rows = figure.add_subplot(place), table[table["metric"] == metric]
            axes.set_title(panel_title(frame, Panel(metric, PREFIX)))
            ends = _draw(axes, rows, info)
            if index == 0:
                axes.xaxis.set_major_formatter(lambda s, _: f"{s * info.fps:,.0f}\n{s:.0f} s")
                axes.set_xlabel(f"length of the film: frames at {info.fps:g} fps, and seconds")
                label_points(figure, axes, ends, info)
        title = f"{info.experiment} · {table['track'].iloc[0]} · quality against length"
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, info: ReportInfo) -> dict[str, tuple[float, float]]:
    """One metric's lines; where each ends."""
    ends = {}
    for variant in (name for name in info.compared if name in set(rows["variant"])):
        points, width = rows[rows["variant"] == variant], 2.0 if variant == info.baseline else 1.4
        style: dict[str, Any] = {"color": colour(info, variant), "ls": dashes(info, variant), "lw": width}
        axes.errorbar(points["seconds"], points["mean"], yerr=points["se"].fillna(0), marker="o", ms=3, **style)
        ends[variant] = (float(points["seconds"].iloc[-1]), float(points["mean"].iloc[-1]))
    axes.xaxis.set_major_locator(FixedLocator(sorted(set(rows["seconds"]))))
    axes.xaxis.set_major_formatter(lambda s, _: f"{s:.0f} s")
    return ends
