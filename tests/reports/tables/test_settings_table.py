"""In which settings variants differ."""

from reports.tables.grid import NONE
from reports.tables.settings_table import settings_grid
from tests.reports.report_frames import info


def test_settings_are_told_in_six_digits() -> None:
    grid = settings_grid(info(variants={"base": {"train.lr": 0.1 + 0.2, "train.steps": 1234567}, "full": {}}))
    assert grid is not None
    assert [[cell.text for cell in row] for row in grid.rows] == [["base", "0.3", "1234567"], ["full", NONE, NONE]]
