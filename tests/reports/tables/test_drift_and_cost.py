"""Drift beside cost: a row a variant, where variants cost differently."""

import numpy as np
import pandas as pd
import pytest

from reports.statistics.view import ReportView, TrackView
from reports.tables.drift_and_cost import drift_and_cost_grid
from tests.reports.report_frames import TRACKS, info, rows
from tests.reports.tables.test_cost_table import DEAR, FULL

SLOPES = {"full": -1.0, "no_e_img": -4.0}  # dB a clip of half a second


def track(spent: dict[str, dict[str, float]], gained: tuple[str, ...] = ("full", "no_e_img")) -> TrackView:
    """Films of ten clips that fall by so much a clip."""
    films = [
        part
        for name, slope in SLOPES.items()
        for sample in range(8)
        for part in (
            rows(
                name, "background_psnr", [40 + slope * clip + sample / 100 for clip in range(10)], sample=f"s{sample}"
            ),
            rows(name, "gain", [0.5 if name in gained else np.nan], sample=f"s{sample}"),
        )
    ]
    about = {"variants": {name: {} for name in SLOPES}, "tracks": [TRACKS[0]], "seeds": [0], "spent": spent}
    (view,) = ReportView.of(pd.concat(films), info(**about)).tracks
    return view


def test_late_slope_gain_and_cost_stand_in_one_row() -> None:
    grid = drift_and_cost_grid(track({"full": FULL | {"before_first": 8.0}, "no_e_img": DEAR}))
    assert grid is not None
    line = {head: cell.text for head, cell in zip(grid.heads, grid.rows[1], strict=True)}
    assert line["variant"] == "no_e_img"
    assert line["bg PSNR late ↑"].startswith("6.0")  # clips 9 and 10
    slope = line["bg PSNR slope a minute (95 % interval) ↑"]
    assert float(slope.replace("\N{MINUS SIGN}", "-").split()[0]) == pytest.approx(-480)
    assert line["gain ↓"].startswith("0.5")
    assert line["evaluations before the first frame"] == "8"
    assert line["training token-evaluations"] == "1,728,000"
    assert "no fair comparison" in grid.notes[-1].lower()


def test_a_gain_that_is_not_known_is_no_number() -> None:
    grid = drift_and_cost_grid(track({"full": FULL, "no_e_img": DEAR}, gained=("full",)))
    assert grid is not None
    assert grid.rows[1][grid.heads.index("gain ↓")].text == "undefined"


def test_variants_of_equal_cost_need_no_such_table() -> None:
    assert drift_and_cost_grid(track({"full": FULL, "no_e_img": FULL})) is None
    assert drift_and_cost_grid(track({})) is None
