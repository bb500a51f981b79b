"""The forecast's figures: the curves of both, and all models in one plot."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text

from reports.figures.forecast import forecast_curves, forecast_figure
from reports.statistics.view import ReportView, TrackView
from reports.tables.forecast_table import forecast_grid
from tests.reports.report_frames import TRACKS, judged_view, rows, view

TRACK = TRACKS[0]


@cache
def many(count: int) -> TrackView:
    """As many models, the larger the error forecast for them the lower their PSNR at the end."""
    names, parts = [f"model-{n:02d}" for n in range(count)], []
    for n, name in enumerate(names):
        for sample in "abc":
            parts += [
                rows(name, "background_psnr", np.linspace(31, 30 - n, 20), sample=sample),
                rows(name, "gain", [0.2 + 0.7 * n / count], sample=sample),
                rows(name, "eps", [0.1], sample=sample),
            ]
    frame = pd.concat(parts, ignore_index=True)
    return view(frame, variants={name: {} for name in names}, baseline=names[0], tracks=[TRACK])


def test_what_never_settles_is_drawn_all_the_same() -> None:
    seven = many(7)
    frame = seven.frame.copy()
    frame.loc[(frame["metric"] == "gain") & (frame["variant"] == "model-06"), "value"] = 1.02
    assert forecast_figure(ReportView(frame, seven.summary, seven.info).tracks[0]) is not None


def test_fewer_than_six_models_make_no_correlation() -> None:
    assert forecast_figure(many(5)) is None
    assert forecast_figure(many(6)) is not None


def test_without_a_probe_there_is_nothing() -> None:
    unprobed = view(rows("full", "background_psnr", [31.0, 20.0]))
    assert forecast_grid(unprobed) is None
    assert forecast_figure(unprobed) is None
    assert forecast_curves(unprobed) is None
    assert forecast_curves(judged_view()) is None


def test_a_figure_of_many_models_names_none_and_its_title_has_the_correlation() -> None:
    figure = forecast_figure(many(20))
    assert figure is not None
    assert not figure.axes[0].texts
    assert "−1 [−1, −1] over 20 models" in figure.axes[0].get_title(loc="left")
    curves = forecast_curves(many(20))
    assert curves is not None
    assert "12 of 20 models" in curves.axes[0].get_title(loc="left")


def test_a_logarithmic_axis_is_labelled_in_plain_numbers() -> None:
    figure = forecast_figure(many(20))
    assert figure is not None
    assert figure.axes[0].get_xscale() == "log"
    FigureCanvasAgg(figure).draw()
    words = [text.get_text() for text in figure.findobj(Text) if isinstance(text, Text)]
    assert {"0.2", "0.5", "1"} & set(words)
    assert not [word for word in words if "$" in word]


def test_a_curve_in_decibels_is_continued_from_its_first_clips() -> None:
    figure = forecast_curves(many(2))
    assert figure is not None
    measured, rule = figure.axes[0].lines[:2]
    time, values = (np.asarray(given) for given in (rule.get_xdata(), rule.get_ydata()))
    assert time[0] == pytest.approx(6)  # seconds: twelve clips
    twelfth = np.asarray(measured.get_ydata())[11]
    grown = np.log(np.cumsum(0.2 ** np.arange(20)))
    assert values[0] == pytest.approx(twelfth)
    assert values[-1] == pytest.approx(31 - (31 - twelfth) * grown[-1] / grown[11])
