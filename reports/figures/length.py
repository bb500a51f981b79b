"""Quality against length: a `length_table` as lines, a panel a metric."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from reports.figures.curves import Panel, panel_title, shown_variants
from reports.figures.style import colour, dashes, figure_style, label_points, panel_grid
from reports.statistics.frame import PREFIX
from reports.statistics.info import ReportInfo
from reports.statistics.view import TrackView


def length_figure(view: TrackView, table: pd.DataFrame) -> Figure | None:
    """A panel a metric of the track's `length_table`, the lead's wide and with the variants' names; None for no rows."""
    metrics, info = list(dict.fromkeys(table["metric"])), view.info
    names = shown_variants(view)
    if not metrics:
        return None
    with figure_style():
        figure, rooms = panel_grid(len(metrics))
        for metric, room in zip(metrics, rooms, strict=True):
            axes = figure.add_subplot(room)
            axes.set_title(panel_title(view, Panel(metric, PREFIX)))
            ends = _draw(axes, table[table["metric"] == metric], info, names)
            if room is rooms[0]:
                axes.xaxis.set_major_formatter(lambda s, _: f"{s * info.fps:,.0f}\n{s:.0f} s")
                axes.set_xlabel(f"length of the film: frames at {info.fps:g} fps, and seconds")
                label_points(axes, ends, info)
        some = f" · {len(names)} of {len(info.compared)} variants" if len(names) < len(info.compared) else ""
        title = f"{info.experiment} · {view.track} · quality against length{some}"
        figure.suptitle(title, x=0.01, ha="left", fontsize=10.5)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame, info: ReportInfo, names: Sequence[str]) -> dict[str, tuple[float, float]]:
    """One metric's lines; where each ends."""
    ends = {}
    for variant in (name for name in names if name in set(rows["variant"])):
        points, width = rows[rows["variant"] == variant], 2.0 if variant == info.baseline else 1.4
        style: dict[str, Any] = {"color": colour(variant), "ls": dashes(info, variant), "lw": width}
        axes.errorbar(points["seconds"], points["mean"], yerr=points["se"].fillna(0), marker="o", ms=3, **style)
        ends[variant] = (float(points["seconds"].iloc[-1]), float(points["mean"].iloc[-1]))
    axes.xaxis.set_major_locator(FixedLocator(sorted(set(rows["seconds"]))))
    axes.xaxis.set_major_formatter(lambda s, _: f"{s:.0f} s")
    return ends
