"""The forecast as a table, and what it took."""

from dataclasses import replace

from reports.statistics.view import ReportView
from reports.tables.forecast_table import cost_notes, forecast_grid
from tests.reports.report_frames import TRACKS, info, study, study_report, study_view, view


def test_the_table_stands_in_the_order_of_the_forecast() -> None:
    about = info(costs={"forecast": "3 s", "generate": "100 s", "score": "50 s"}, forecast_share=0.02)
    grid = forecast_grid(replace(study_view(), info=about))
    assert grid is not None
    assert [row[0].text for row in grid.rows][-2:] == ["no_e_img", "base"]
    assert grid.heads[-1] == "measured late background PSNR"
    assert grid.rows[-1][-1].text.startswith("16")
    assert grid.notes[-1] == "The forecasts took 3 s, 2.0% of what all films and their scores took."


def test_what_never_settles_says_so_and_still_has_an_error_at_the_end() -> None:
    frame = study_report().frame.copy()
    frame.loc[(frame["metric"] == "gain") & (frame["variant"] == "base"), "value"] = 1.02
    grid = forecast_grid(ReportView(frame, study_report().summary, info()).tracks[0])
    assert grid is not None
    last = [cell.text for cell in grid.rows[-1]]
    assert last[0] == "base"
    assert last[3].startswith("never")
    assert not last[5].startswith("never")


def test_costs_are_told_only_where_they_are_known() -> None:
    assert not cost_notes(info())


def test_what_the_first_clips_foretold_of_the_whole_frame_stands_before_what_was_measured() -> None:
    frame = study()
    frame["metric"] = frame["metric"].replace("background_psnr", "placed_psnr")
    known = {"full": {"placed_psnr": (-2.0, -1.0, 0.0)}}
    grid = forecast_grid(view(frame, misses={TRACKS[0]: known, TRACKS[1]: {"base": known["full"]}}))
    assert grid is not None
    assert grid.heads[-2:] == ["foretold by the first clips", "measured late placed PSNR"]
    told = {row[0].text: row[-2].text for row in grid.rows}
    assert told["full"].startswith("29")  # 30 by the rule, less the typical miss
    assert "[28" in told["full"]
    assert "[" not in told["base"]  # of whose films on this track none is known
    assert "first 12 clips of 4 films" in grid.notes[-1]
    bare = forecast_grid(view(frame))
    assert bare is not None
    assert all("[" not in row[-2].text for row in bare.rows)
