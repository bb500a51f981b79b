"""Which measures lead, and which a main table shows."""

import pandas as pd
import pytest

from reports.statistics.measures import Measure, lead_measure, split_measures
from reports.statistics.summary import summarise
from tests.reports.report_frames import KINDS, info, rows, study_summary


def test_where_the_world_is_known_the_whole_frame_leads_and_the_background_stands_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KINDS, "placed_psnr", ("higher", "dB"))
    films = [rows("full", metric, [30.0] * 5) for metric in ("background_psnr", "placed_psnr", "motion")]
    summary = summarise(pd.concat([*films, rows("full", "gain", [0.2])]), info())
    assert lead_measure(summary, "consistent-50s") == Measure("placed_psnr", "late")
    main, _ = split_measures(summary, "consistent-50s")
    assert main == [
        *(Measure("placed_psnr", statistic) for statistic in ("first", "late", "drop")),
        Measure("motion", "late"),
        Measure("gain", "value"),
        Measure("background_psnr", "late"),
    ]


def test_the_lead_is_background_psnr_or_else_the_first_curve_with_a_direction() -> None:
    summary = study_summary()
    assert lead_measure(summary, "consistent-50s") == Measure("background_psnr", "late")
    summary = summary[~summary["metric"].isin(["background_psnr", "ssim"])]
    assert lead_measure(summary, "consistent-50s") == Measure("colour_drift", "late")
    main, _ = split_measures(summary, "consistent-50s")
    assert main[:2] == [Measure("colour_drift", "late"), Measure("motion", "late")]
