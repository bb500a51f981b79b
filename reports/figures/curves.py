"""Figures: drift curves over the film, and differences to the baseline.

Trivial baselines are in none of them.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures.style import LABELLED, MUTED, colour, dashes, evenly, figure_style, label_points
from reports.statistics.frame import PREFIX, WINDOW
from reports.statistics.info import ReportInfo
from reports.statistics.measures import ARROWS, Measure, lead_measure, measure_label, measured, metric_label
from reports.statistics.summary import clip_counts, curves, film_seconds

PANELS_A_ROW = 3


class Panel(NamedTuple):
    """A metric's curves over clips, of each clip alone (`window`) or of all frames up to its end (`prefix`)."""

    metric: str
    view: str = WINDOW


def curve_panels(frame: pd.DataFrame, summary: pd.DataFrame, track: str) -> list[Panel]:
    """The panels of a track, the lead's first; where a metric has a prefix view too, it follows the metric's own."""
    kinds = frame.loc[(frame["track"] == track) & (frame["status"] == "ok"), ["metric", "view"]].drop_duplicates()
    found = {Panel(*pair) for pair in kinds.itertuples(index=False)}
    lead = lead_measure(summary, track)
    metrics = [*([lead.metric] if lead else []), *(measure.metric for measure in measured(summary, track))]
    ordered = [Panel(metric, view) for metric in dict.fromkeys(metrics) for view in (WINDOW, PREFIX)]
    return [panel for panel in ordered if panel in found]


def drawn_variants(frame: pd.DataFrame, info: ReportInfo, track: str, panel: Panel) -> list[str]:
    """The variants whose curves are drawn: all, or, of more than a figure can name, the baseline and others from the lowest to
    the highest end of this panel's curves."""
    if len(info.compared) <= LABELLED:
        return list(info.compared)
    found = curves(frame, track, *panel)
    ends = {name: found[name]["mean"].dropna().iloc[-1:].sum() for name in info.compared if name in found}
    others = sorted(ends.keys() - {info.baseline}, key=lambda name: (ends[name], name))
    chosen = {info.baseline, *evenly(others, LABELLED - 1)}
    return [name for name in info.compared if name in chosen]


def drift_figure(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, track: str) -> Figure | None:
    """All drift curves of a track: the lead metric wide, with the variants' names; the others small, below.

    None where no metric has a curve.
    """
    panels = curve_panels(frame, summary, track)
    if not panels:
        return None
    names, rows = drawn_variants(frame, info, track, panels[0]), math.ceil((len(panels) - 1) / PANELS_A_ROW)
    with figure_style():
        figure = Figure(figsize=(9.6, 3.5 + 2.1 * rows), layout="constrained")
        grid = figure.add_gridspec(1 + rows, PANELS_A_ROW, height_ratios=[3.4, *[2.0] * rows])
        for index, panel in enumerate(panels):
            place = grid[0, :] if index == 0 else grid[1 + (index - 1) // PANELS_A_ROW, (index - 1) % PANELS_A_ROW]
            _draw_curves(figure, figure.add_subplot(place), frame, info, track, panel, names, lead=index == 0)
        figure.suptitle(f"{info.experiment} · {track}", x=0.01, ha="left", fontsize=10.5)
    return figure


def drift_panel(
    frame: pd.DataFrame, info: ReportInfo, track: str, panel: Panel, names: Sequence[str], lead: bool
) -> Figure:
    """The drift curves of one metric, of the named variants; the lead panel is larger and names them."""
    with figure_style():
        figure = Figure(figsize=(9.2, 3.5) if lead else (3.5, 2.1), layout="constrained")
        _draw_curves(figure, figure.add_subplot(), frame, info, track, panel, names, lead)
    return figure


def delta_figure(summary: pd.DataFrame, info: ReportInfo, track: str) -> Figure | None:
    """Each variant's difference to the baseline on the lead measure with its 95 % interval; None without any.

    In the order of declaration, or, of more variants than a figure can name, the best first.
    """
    lead = lead_measure(summary, track)
    rows = _measure_rows(summary, track, lead) if lead else summary[:0]
    rows = rows[rows["delta"].notna() & rows["variant"].isin(info.compared)]
    if lead is None or rows.empty:
        return None
    if len(rows) > LABELLED:  # to find the best, which comes first
        rows = rows.sort_values("delta", ascending=rows["direction"].iloc[0] == "lower", kind="stable")
    with figure_style():
        figure = Figure(figsize=(5.2, 0.75 + 0.26 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0, color=MUTED, lw=1)
        for place, row in enumerate(rows.to_dict("records")):
            ink = colour(info, row["variant"])
            if math.isfinite(row["delta_low"]):
                interval = [row["delta_low"], row["delta_high"]]
                axes.plot(interval, [place, place], color=ink, lw=2.2, solid_capstyle="round")
            axes.plot([row["delta"]], [place], "o", color=ink, ms=6)
        axes.set_yticks(range(len(rows)), rows["variant"])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False)
        axes.grid(visible=True, axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        unit = _unit(rows)
        axes.set_xlabel(f"difference to {info.baseline} in {measure_label(lead)}{unit}, paired 95 % interval")
    return figure


def _draw_curves(
    figure: Figure,
    axes: Axes,
    frame: pd.DataFrame,
    info: ReportInfo,
    track: str,
    panel: Panel,
    names: Sequence[str],
    lead: bool,
) -> None:
    found = {name: curve for name, curve in curves(frame, track, *panel).items() if name in info.compared}
    clips, seconds, ends = clip_counts(frame), film_seconds(frame, info).get(track, 0.0), {}
    # The baseline last: it is what the others are read against, so nothing covers it.
    drawn = [name for name in names if name in found]
    for variant in sorted(drawn, key=lambda name: (name == info.baseline, drawn.index(name))):
        curve, ink = found[variant].dropna(subset=["mean"]), colour(info, variant)
        if curve.empty:
            continue
        # A clip's own score stands at its middle, a score of all frames so far at its end.
        place = curve.index.to_numpy() + (0.5 if panel.view == WINDOW else 1.0)
        times = place * seconds / clips[track, variant]
        mean, se = curve["mean"], curve["se"].fillna(0)
        if len(info.compared) <= LABELLED:  # bands of many would cover each other
            axes.fill_between(times, mean - se, mean + se, color=ink, alpha=0.16, lw=0)
        width = 2.0 if variant == info.baseline else 1.4
        axes.plot(times, mean, color=ink, ls=dashes(info, variant), lw=width)
        ends[variant] = (float(times[-1]), float(mean.iloc[-1]))
    some = f", {len(drawn)} of {len(found)}" if len(drawn) < len(found) else ""
    axes.set_title(panel_title(frame, panel) + some)
    axes.margins(x=0)
    axes.set_xlim(0, seconds or None)
    axes.xaxis.set_major_locator(MaxNLocator(8 if lead else 5))
    axes.xaxis.set_major_formatter(lambda time, _: f"{time:g} s")
    if lead:
        axes.set_xlabel("time in the film")
        label_points(figure, axes, ends, info)


def panel_title(frame: pd.DataFrame, panel: Panel) -> str:
    """The metric, of which frames it is, its unit and which way is better."""
    ok = (frame["metric"] == panel.metric) & (frame["status"] == "ok")
    first = frame.loc[ok, ["unit", "direction"]].iloc[0]
    unit = f", {first['unit']}" if first["unit"] else ""
    so_far = ", so far" if panel.view == PREFIX else ""
    return f"{metric_label(panel.metric)}{so_far}{unit} {ARROWS[first['direction']]}".strip()


def _measure_rows(summary: pd.DataFrame, track: str, measure: Measure) -> pd.DataFrame:
    wanted = (summary["metric"] == measure.metric) & (summary["statistic"] == measure.statistic)
    return summary[wanted & (summary["track"] == track) & (summary["status"] == "ok")]


def _unit(rows: pd.DataFrame) -> str:
    unit = rows["unit"].iloc[0]
    return f", {unit}" if unit else ""
