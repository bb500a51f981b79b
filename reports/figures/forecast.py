"""The forecast from one clip held against the long films: the curves of both, and all models in one scatter plot."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures.style import LABELLED, MUTED, colour, dashes, evenly, figure_style, label_logarithmic, label_points
from reports.statistics.bootstrap import FEWEST, Floats
from reports.statistics.forecast import Forecast, Interval, errors, rank_correlation
from reports.statistics.foretold import ROLLED_CLIPS, course
from reports.statistics.frame import WINDOW
from reports.statistics.variant_forecasts import measured_late, variant_forecasts
from reports.statistics.view import TrackView
from reports.tables.labels import measure_label, metric_label, unit_suffix
from reports.tables.numbers import stated

WIDE_RANGE = 5  # of errors, above which an axis is logarithmic
DECIBEL = "dB"


def forecast_figure(view: TrackView) -> Figure | None:
    """The lead measure at the end of the film against the error forecast for it; None for fewer than six models, which make no
    correlation."""
    found, late, lead = variant_forecasts(view), measured_late(view), view.lead
    names = [name for name in found if name in late.index]
    if lead is None or len(names) < FEWEST:
        return None
    x, y = (np.array(values) for values in ([found[name].late.value for name in names], late.loc[names, "mean"]))
    with figure_style():
        figure = Figure(figsize=(9.2, 3.6), layout="constrained")
        axes = figure.add_subplot()
        inks = [colour(name) for name in names]
        axes.scatter(x, y, s=25, c=inks, zorder=3)
        for ends, draw, place in (
            ([found[name].late for name in names], axes.hlines, y),
            ([Interval(*late.loc[name]) for name in names], axes.vlines, x),
        ):
            low, high = (np.array([getattr(one, end) for one in ends], np.float64) for end in ("low", "high"))
            known = np.isfinite(low) & np.isfinite(high)
            draw(
                place[known],
                low[known],
                high[known],
                colors=[ink for ink, told in zip(inks, known, strict=True) if told],
                lw=1,
            )
        if x.min() > 0 and x.max() > WIDE_RANGE * x.min():
            axes.set_xscale("log")
            label_logarithmic(axes.xaxis)
        axes.margins(y=0.12)
        if len(names) <= LABELLED:
            right = [np.nanmax([found[name].late.value, found[name].late.high]) for name in names]  # of its error bar
            label_points(axes, dict(zip(names, zip(right, y, strict=True), strict=True)), view.info)
        axes.set_xlabel("error at the end of the film, forecast from one clip (units of the latents)")
        axes.set_ylabel(f"measured {measure_label(lead)}{_unit(view, lead.metric)}")
        axes.set_title(f"Spearman rank correlation {stated(rank_correlation(x, y))} over {len(x)} models", color=MUTED)
    return figure


def forecast_curves(view: TrackView) -> Figure | None:
    """Clip by clip: what was measured of the lead metric, and below it the error that one clip forecast.

    A measure in decibels is continued from its own first clips by the rule that foretells it (`reports.statistics.foretold`).
    None without a forecast or a measured curve.
    """
    found, lead = variant_forecasts(view), view.lead
    measured = view.curves(lead.metric, WINDOW) if lead else {}
    names = evenly([name for name in sorted(found, key=lambda name: found[name].late.value) if name in measured])
    if lead is None or not names:
        return None
    in_decibels = view.unit(lead.metric) == DECIBEL
    with figure_style():
        figure = Figure(figsize=(9.2, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        ends = {}
        for name in names:
            curve, clip = measured[name]["mean"].dropna(), view.seconds / found[name].clips
            style: dict[str, Any] = {"color": colour(name), "ls": dashes(view.info, name)}
            above.plot((curve.index.to_numpy() + 1) * clip, curve, **style)
            ends[name] = ((float(curve.index[-1]) + 1) * clip, float(curve.iloc[-1]))
            time: Floats = np.arange(1.0, found[name].clips + 1) * float(clip)
            if in_decibels and len(curve) > ROLLED_CLIPS:
                ends_at = float(curve.iloc[0]), float(curve.iloc[ROLLED_CLIPS - 1])
                rule = course(*ends_at, ROLLED_CLIPS, found[name].gain.value, found[name].clips)
                above.plot(time[ROLLED_CLIPS - 1 :], rule[ROLLED_CLIPS - 1 :], color=style["color"], ls=":", lw=1.1)
            _draw_error(below, found[name], time, style)
        some = f", {len(names)} of {len(found)} models" if len(names) < len(found) else ""
        dots = f"; dotted: by the first {ROLLED_CLIPS} clips" if in_decibels else ""
        above.set_title(f"measured {metric_label(lead.metric)}{_unit(view, lead.metric)}{dots}{some}")
        below.set_title("forecast error, units of the latents")
        below.set_xlabel("seconds of film")
        below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        above.margins(x=0)
        label_points(above, ends, view.info)
    return figure


def _unit(view: TrackView, metric: str) -> str:
    """`, dB`; empty for a ratio or a share."""
    return unit_suffix(view.unit(metric)).replace(" ", ", ", 1)


def _draw_error(axes: Axes, found: Forecast, time: Floats, style: Mapping[str, Any]) -> None:
    """Its curve, and what the ends of both intervals allow."""
    middle, low, high = errors(np.array(found.gain), np.array(found.eps), found.clips)
    axes.plot(time, middle, **style)
    if np.isfinite([low, high]).all():
        axes.fill_between(time, low, high, color=style["color"], alpha=0.16, lw=0)
