"""The forecast from one clip held against the long films: a table, the curves of both, and all models in one scatter plot."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from reports.figures.style import LABELLED, MUTED, colour, dashes, evenly, figure_style, label_points
from reports.statistics.forecast import Floats, Forecast, Interval, errors, forecast, rank_correlation
from reports.statistics.frame import FILM
from reports.statistics.info import ReportInfo
from reports.statistics.measures import lead_measure, measure_label, metric_label, unit_suffix
from reports.statistics.summary import clip_counts, curves, film_seconds
from reports.tables.grid import MINUS, Cell, Grid

WIDE_RANGE = 5  # of errors, above which an axis is logarithmic
DECIBEL = "dB"


def variant_forecasts(frame: pd.DataFrame, info: ReportInfo, track: str) -> dict[str, Forecast]:
    """By variant, of those with gain and eps, the films of all seeds together."""
    probed = frame[(frame["track"] == track) & (frame["status"] == "ok") & (frame["view"] == FILM)]
    probed = probed[probed["metric"].isin(["gain", "eps"])]
    if probed.empty:
        return {}
    clips, found = clip_counts(frame), {}
    for name in info.compared:
        films = probed[probed["variant"] == name].pivot_table(
            index="seed", columns=["metric", "sample"], values="value", observed=True
        )
        if (track, name) in clips and {"gain", "eps"} <= set(films.columns.get_level_values("metric")):
            gain, eps = films["gain"].align(films["eps"])
            if (gain.notna() & eps.notna()).to_numpy().any():
                found[name] = forecast(gain.to_numpy(), eps.to_numpy(), clips[track, name])
    return found


def measured_late(summary: pd.DataFrame, track: str) -> pd.DataFrame:
    """The lead measure at the end of the film: index variant, columns mean, low, high; without rows where there is none."""
    lead = lead_measure(summary, track)
    if lead is None:
        return pd.DataFrame(columns=["mean", "low", "high"])
    of_lead = (summary["metric"] == lead.metric) & (summary["statistic"] == lead.statistic)
    rows = summary[of_lead & (summary["track"] == track) & (summary["status"] == "ok")]
    return rows.set_index("variant")[["mean", "low", "high"]]


def forecast_grid(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, track: str) -> Grid | None:
    """A row a variant, the least error at the end of the film first; None without a forecast."""
    found, late = variant_forecasts(frame, info, track), measured_late(summary, track)
    if not found:
        return None
    lead = lead_measure(summary, track)
    heads = ["variant", "gain", "eps", "settles at", "time constant, clips", "forecast error at the end"]
    heads += [f"measured {measure_label(lead)}"] if lead else []
    rows = []
    for name, one in sorted(found.items(), key=lambda pair: pair[1].late.value):
        estimates = [one.gain, one.eps, one.plateau, one.time_constant, one.late]
        estimates += [Interval(*late.loc[name])] if name in late.index else []
        rows.append([Cell(name), *(Cell(stated(estimate)) for estimate in estimates)])
        rows[-1] += [Cell("")] * (len(heads) - len(rows[-1]))
    notes = ["95 % intervals in brackets; errors are in units of the latents, and a gain of 1 or more never settles."]
    return Grid(f"{track}: forecast from one clip", heads, rows, [*notes, *cost_notes(info)])


def cost_notes(info: ReportInfo) -> list[str]:
    """What the forecasts took, against the films and scores that they foretell."""
    spent, films = info.costs.get("forecast", 0.0), sum(info.costs.get(kind, 0.0) for kind in ("generate", "score"))
    if not spent or not films:
        return []
    return [
        f"The forecasts took {spent:.3g} s, {spent / films:.1%} of the {films:.3g} s of all films and their scores."
    ]


def stated(interval: Interval) -> str:
    """0.19 [0.17, 0.21]; "never" for what is infinite."""
    low, high = (_number(end) for end in interval[1:])
    spread = "" if np.isnan(interval.low) else f" [{low}, {high}]"
    return _number(interval.value) + spread


def _number(value: float) -> str:
    return "never" if math.isinf(value) else f"{value:.3g}".replace("-", MINUS)


def forecast_figure(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, track: str) -> Figure | None:
    """The lead measure at the end of the film against the error forecast for it; None for fewer than two models."""
    found, late = variant_forecasts(frame, info, track), measured_late(summary, track)
    names, lead = [name for name in found if name in late.index], lead_measure(summary, track)
    if lead is None or len(names) < 2:
        return None
    x, y = (np.array(values) for values in ([found[name].late.value for name in names], late.loc[names, "mean"]))
    with figure_style():
        figure = Figure(figsize=(9.2, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for name, mean in zip(names, y, strict=True):
            across, up = _arms(found[name].late), _arms(Interval(mean, *late.loc[name, ["low", "high"]]))
            axes.errorbar(
                found[name].late.value, mean, xerr=across, yerr=up, fmt="o", ms=5, lw=1, color=colour(info, name)
            )
        if x.min() > 0 and x.max() > WIDE_RANGE * x.min():
            axes.set_xscale("log")
        axes.margins(y=0.12)
        if len(names) <= LABELLED:
            right = [np.nanmax([found[name].late.value, found[name].late.high]) for name in names]  # of its error bar
            label_points(figure, axes, dict(zip(names, zip(right, y, strict=True), strict=True)), info)
        axes.set_xlabel("error at the end of the film, forecast from one clip (units of the latents)")
        unit = summary.loc[summary["metric"] == lead.metric, "unit"].iloc[0]
        axes.set_ylabel(f"measured {measure_label(lead)}{unit_suffix(str(unit)).replace(' ', ', ', 1)}")
        axes.set_title(f"Spearman rank correlation {stated(rank_correlation(x, y))} over {len(x)} models", color=MUTED)
    return figure


def _arms(interval: Interval) -> list[list[float]] | None:
    """Lengths of error bars; none where an end is not finite."""
    if not np.isfinite(interval).all():
        return None
    return [[max(interval.value - interval.low, 0)], [max(interval.high - interval.value, 0)]]


def forecast_curves(frame: pd.DataFrame, summary: pd.DataFrame, info: ReportInfo, track: str) -> Figure | None:
    """Clip by clip: what was measured of the lead metric, and below it the error that one clip forecast.

    A measure in decibels has the forecast drawn from its own first clip too (`growth_in_decibels`).
    None without a forecast or a measured curve.
    """
    found, lead = variant_forecasts(frame, info, track), lead_measure(summary, track)
    measured = curves(frame, track, lead.metric) if lead else {}
    names = evenly([name for name in sorted(found, key=lambda name: found[name].late.value) if name in measured])
    if lead is None or not names:
        return None
    unit = str(summary.loc[summary["metric"] == lead.metric, "unit"].iloc[0])
    seconds = film_seconds(frame, info)[track]
    with figure_style():
        figure = Figure(figsize=(9.2, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
        ends = {}
        for name in names:
            curve, clip = measured[name]["mean"].dropna(), seconds / found[name].clips
            style: dict[str, Any] = {"color": colour(info, name), "ls": dashes(info, name)}
            above.plot((curve.index.to_numpy() + 1) * clip, curve, **style)
            ends[name] = ((float(curve.index[-1]) + 1) * clip, float(curve.iloc[-1]))
            time: Floats = np.arange(1.0, found[name].clips + 1) * float(clip)
            if unit == DECIBEL:
                least, most = growth_in_decibels(found[name])
                above.fill_between(
                    time, curve.iloc[0] - most, curve.iloc[0] - least, color=style["color"], alpha=0.07, lw=0
                )
                above.plot(time, curve.iloc[0] - least, color=style["color"], ls=":", lw=1.1)
            _draw_error(below, found[name], time, style)
        some = f", {len(names)} of {len(found)} models" if len(names) < len(found) else ""
        dots = "; shaded: forecast from clip 1" if unit == DECIBEL else ""
        above.set_title(f"measured {metric_label(lead.metric)}{unit_suffix(unit).replace(' ', ', ', 1)}{dots}{some}")
        below.set_title("forecast error, units of the latents")
        below.set_xlabel("seconds of film")
        below.xaxis.set_major_locator(MaxNLocator(6, integer=True))
        above.margins(x=0)
        label_points(figure, above, ends, info)
    return figure


def growth_in_decibels(found: Forecast) -> tuple[Floats, Floats]:
    """How far a signal-to-noise ratio falls from the first clip to each, [clips]: at least, and at most.

    Errors of clips that are independent of each other add as squares, 10 log10 of the sum of gain^(2k), k < n; errors that all
    point the same way add as they are, 20 log10 of the sum of gain^k.
    """
    gain, one = np.array([found.gain.value]), np.ones(1)
    least: Floats = 10 * np.log10(errors(gain**2, one, found.clips)[0])
    most: Floats = 20 * np.log10(np.maximum(errors(gain, one, found.clips)[0], np.finfo(float).tiny))
    return least, np.maximum(least, most)


def _draw_error(axes: Axes, found: Forecast, time: Floats, style: Mapping[str, Any]) -> None:
    """Its curve, and what the ends of both intervals allow."""
    middle, low, high = errors(np.array(found.gain), np.array(found.eps), found.clips)
    axes.plot(time, middle, **style)
    if np.isfinite([low, high]).all():
        axes.fill_between(time, low, high, color=style["color"], alpha=0.16, lw=0)
