"""Figures: drift curves over the film, and differences to the baseline.

Trivial baselines are in none of them.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures.style import LABELLED, MUTED, colour, dashes, evenly, figure_style, label_points, panel_grid
from reports.statistics.frame import PREFIX, WINDOW
from reports.statistics.view import TrackView
from reports.tables.labels import ARROWS, measure_label, metric_label
from reports.tables.notes import interval_name

DELTAS = 40
"""Most variants whose differences are drawn: what a page can hold."""


class Panel(NamedTuple):
    """A metric's curves over clips, of each clip alone (`window`) or of all frames up to its end (`prefix`)."""

    metric: str
    view: str = WINDOW


def curve_panels(view: TrackView) -> list[Panel]:
    """The panels of a track, the lead's first; where a metric has a prefix view too, it follows the metric's own."""
    kinds = view.scored[["metric", "view"]].drop_duplicates()
    found = {Panel(*pair) for pair in kinds.itertuples(index=False)}
    ordered = [Panel(metric, kind) for metric in view.metrics for kind in (WINDOW, PREFIX)]
    return [panel for panel in ordered if panel in found]


def drawn_variants(view: TrackView, panel: Panel) -> list[str]:
    """The variants whose curves are drawn: all, or, of more than a figure can name, the baseline and others from the lowest to
    the highest end of this panel's curves."""
    info = view.info
    if len(info.compared) <= LABELLED:
        return list(info.compared)
    found = view.curves(*panel)
    ends = {name: found[name]["mean"].dropna().iloc[-1:].sum() for name in info.compared if name in found}
    others = sorted(ends.keys() - {info.baseline}, key=lambda name: (ends[name], name))
    chosen = {info.baseline, *evenly(others, LABELLED - 1)}
    return [name for name in info.compared if name in chosen]


def shown_variants(view: TrackView) -> list[str]:
    """The variants whose curves and pictures are shown: `drawn_variants` of the lead's panel."""
    panels = curve_panels(view)
    return drawn_variants(view, panels[0]) if panels else evenly(view.info.compared)


def drift_figure(view: TrackView) -> Figure | None:
    """All drift curves of a track: the lead metric wide, with the variants' names; the others small, below.

    None where no metric has a curve.
    """
    panels = curve_panels(view)
    if not panels:
        return None
    names = drawn_variants(view, panels[0])
    with figure_style():
        figure, rooms = panel_grid(len(panels))
        for panel, room in zip(panels, rooms, strict=True):
            _draw_curves(view, panel, names, figure.add_subplot(room), lead=room is rooms[0])
        figure.suptitle(f"{view.info.experiment} · {view.track}", x=0.01, ha="left", fontsize=10.5)
    return figure


def drift_panel(view: TrackView, panel: Panel, names: Sequence[str], lead: bool) -> Figure:
    """The drift curves of one metric, of the named variants; the lead panel is larger and names them."""
    with figure_style():
        figure = Figure(figsize=(6.0, 3.7) if lead else (3.5, 2.1), layout="constrained")
        _draw_curves(view, panel, names, figure.add_subplot(), lead)
    return figure


def delta_figure(view: TrackView) -> Figure | None:
    """Each variant's difference to the baseline on the lead measure with its 95 % interval; None without any.

    In the order of declaration, or, of more variants than a figure can name, the best first, and of more than `DELTAS` some.
    """
    lead, info = view.lead, view.info
    if lead is None:
        return None
    rows = view.rows_of(lead)
    rows = rows[(rows["status"] == "ok") & rows["delta"].notna() & rows["variant"].isin(info.compared)]
    if rows.empty:
        return None
    if len(rows) > LABELLED:  # to find the best, which comes first
        rows = rows.sort_values("delta", ascending=rows["direction"].iloc[0] == "lower", kind="stable")
    count = len(rows)
    rows = rows[rows["variant"].isin(evenly(list(rows["variant"]), DELTAS))]
    with figure_style():
        figure = Figure(figsize=(5.2, 0.75 + 0.26 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        axes.axvline(0, color=MUTED, lw=1)
        for height, row in enumerate(rows.to_dict("records")):
            ink = colour(row["variant"])
            if math.isfinite(row["delta_low"]):
                interval = [row["delta_low"], row["delta_high"]]
                axes.plot(interval, [height, height], color=ink, lw=2.2, solid_capstyle="round")
            axes.plot([row["delta"]], [height], "o", color=ink, ms=6)
        axes.set_yticks(range(len(rows)), rows["variant"])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False)
        axes.grid(visible=True, axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        unit = rows["unit"].iloc[0]
        within = f"{measure_label(lead)}{f', {unit}' if unit else ''}"
        paired = f", paired {interval_name(info.alpha)}" if rows["delta_low"].notna().any() else ", paired"
        axes.set_xlabel(f"difference to {info.baseline} in {within}{paired}")
        if len(rows) < count:
            axes.set_title(f"{len(rows)} of {count}, evenly from the best to the worst")
    return figure


def _draw_curves(view: TrackView, panel: Panel, names: Sequence[str], axes: Axes, lead: bool) -> None:
    info, ends = view.info, {}
    found = {name: curve for name, curve in view.curves(*panel).items() if name in info.compared}
    # The baseline last: it is what the others are read against, so nothing covers it.
    drawn = [name for name in names if name in found]
    for variant in sorted(drawn, key=lambda name: (name == info.baseline, drawn.index(name))):
        curve, ink = found[variant].dropna(subset=["mean"]), colour(variant)
        if curve.empty:
            continue
        # A clip's own score stands at its middle, a score of all frames so far at its end.
        clips_before = curve.index.to_numpy() + (0.5 if panel.view == WINDOW else 1.0)
        times = clips_before * view.seconds / view.clips[variant]
        mean, se = curve["mean"], curve["se"].fillna(0)
        if len(info.compared) <= LABELLED and curve["se"].notna().any():  # bands of many would cover each other
            axes.fill_between(times, mean - se, mean + se, color=ink, alpha=0.16, lw=0)
        width = 2.0 if variant == info.baseline else 1.4
        axes.plot(times, mean, color=ink, ls=dashes(info, variant), lw=width)
        ends[variant] = (float(times[-1]), float(mean.iloc[-1]))
    some = f", {len(drawn)} of {len(found)}" if len(drawn) < len(found) else ""
    axes.set_title(panel_title(view, panel) + some)
    axes.margins(x=0)
    axes.set_xlim(0, view.seconds or None)
    axes.xaxis.set_major_locator(MaxNLocator(6 if lead else 5))
    axes.xaxis.set_major_formatter(lambda time, _: f"{time:g} s")
    if lead:
        axes.set_xlabel("time in the film")
        label_points(axes, ends, info)


def panel_title(view: TrackView, panel: Panel) -> str:
    """The metric, of which frames it is, its unit and which way is better."""
    first = view.scored.loc[view.scored["metric"] == panel.metric, ["unit", "direction"]].iloc[0]
    unit = f", {first['unit']}" if first["unit"] else ""
    so_far = ", so far" if panel.view == PREFIX else ""
    return f"{metric_label(panel.metric)}{so_far}{unit} {ARROWS[first['direction']]}".strip()
