import numpy as np
import pandas as pd
import pytest

from reports.figures.forecast import (
    cost_notes,
    forecast_curves,
    forecast_figure,
    forecast_grid,
    growth_in_decibels,
    variant_forecasts,
)
from reports.statistics.forecast import forecast, rank_correlation
from reports.statistics.info import ReportInfo
from reports.statistics.summary import summarise
from tests.reports.report_frames import TRACKS, info, judged, judged_info, rows, study, study_summary

TRACK = TRACKS[0]


def many(count: int) -> tuple[pd.DataFrame, pd.DataFrame, ReportInfo]:
    """As many models, the larger the error forecast for them the lower their PSNR at the end."""
    names, parts = [f"model-{n:02d}" for n in range(count)], []
    for n, name in enumerate(names):
        for sample in "abc":
            parts += [
                rows(name, "background_psnr", np.linspace(31, 30 - n, 20), sample=sample),
                rows(name, "gain", [0.2 + 0.7 * n / count], sample=sample),
                rows(name, "eps", [0.1], sample=sample),
            ]
    about = info(variants={name: {} for name in names}, baseline=names[0], tracks=[TRACK])
    frame = pd.concat(parts, ignore_index=True)
    return frame, summarise(frame, about), about


def test_films_of_all_seeds_are_pooled() -> None:
    found = variant_forecasts(study(), info(), TRACK)
    assert found["full"].plateau.value == pytest.approx(0.17 / 0.8, rel=0.05)
    assert (found["full"].films, found["full"].clips) == (12, 20)


def test_the_table_stands_in_the_order_of_the_forecast() -> None:
    grid = forecast_grid(
        study(), study_summary(), info(costs={"forecast": 3.0, "generate": 100.0, "score": 50.0}), TRACK
    )
    assert grid is not None
    assert [row[0].text for row in grid.rows][-2:] == ["no_e_img", "base"]
    assert grid.heads[-1] == "measured late background PSNR"
    assert grid.rows[-1][-1].text.startswith("16")
    assert "2.0% of the 150 s" in grid.notes[-1]


def test_what_never_settles_says_so_and_still_has_an_error_at_the_end() -> None:
    frame = study()
    frame.loc[(frame["metric"] == "gain") & (frame["variant"] == "base"), "value"] = 1.02
    grid = forecast_grid(frame, summarise(frame, info()), info(), TRACK)
    assert grid is not None
    last = [cell.text for cell in grid.rows[-1]]
    assert last[0] == "base"
    assert last[3].startswith("never")
    assert not last[5].startswith("never")
    assert forecast_figure(frame, summarise(frame, info()), info(), TRACK) is not None


def test_trivial_baselines_have_no_forecast() -> None:
    assert list(variant_forecasts(study(), info(trivial=("no_e_vid",)), TRACK)) == ["base", "full", "no_e_img"]


def test_without_a_probe_there_is_nothing() -> None:
    frame = study()
    frame = frame[~frame["metric"].isin(["gain", "eps"])]
    summary = summarise(frame, info())
    assert forecast_grid(frame, summary, info(), TRACK) is None
    assert forecast_figure(frame, summary, info(), TRACK) is None
    assert forecast_curves(frame, summary, info(), TRACK) is None
    unprobed = judged()
    assert forecast_curves(unprobed, summarise(unprobed, judged_info()), judged_info(), TRACK) is None


def test_a_figure_of_many_models_names_none_and_its_title_has_the_correlation() -> None:
    frame, summary, about = many(20)
    figure = forecast_figure(frame, summary, about, TRACK)
    assert figure is not None
    assert not figure.axes[0].texts
    assert "−1 [−1, −1] over 20 models" in figure.axes[0].get_title(loc="left")
    curves = forecast_curves(frame, summary, about, TRACK)
    assert curves is not None
    assert "12 of 20 models" in curves.axes[0].get_title(loc="left")


def test_a_curve_in_decibels_has_the_forecast_drawn_from_its_first_clip() -> None:
    frame, summary, about = many(2)
    figure = forecast_curves(frame, summary, about, TRACK)
    assert figure is not None
    measured, foretold = (np.asarray(line.get_ydata()) for line in figure.axes[0].lines[:2])
    assert foretold[0] == measured[0] == 31
    assert 31 - foretold[-1] == pytest.approx(10 * np.log10(1 / (1 - 0.2**2)))


def test_the_growth_of_an_error_in_decibels() -> None:
    least, most = growth_in_decibels(forecast(np.full(3, 0.5), np.full(3, 0.1), 40))
    assert least[0] == most[0] == 0
    assert least[1] == pytest.approx(10 * np.log10(1 + 0.5**2))
    assert least[-1] == pytest.approx(10 * np.log10(1 / (1 - 0.5**2)))
    assert most[-1] == pytest.approx(20 * np.log10(2))


def test_costs_are_told_only_where_they_are_known() -> None:
    assert not cost_notes(info())


def test_rank_correlation_is_spearmans() -> None:
    random = np.random.default_rng(0)
    x = random.normal(size=30)
    y = x + random.normal(size=30)
    found = rank_correlation(x, y)
    assert found.value == pytest.approx(pd.Series(x).corr(pd.Series(y), method="spearman"))
    assert found.low < found.value < found.high
    assert rank_correlation(x, np.exp(x)) == pytest.approx((1, 1, 1))
    assert np.isnan(rank_correlation(x[:4], y[:4]).low)
