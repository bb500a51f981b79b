"""Sheets of decoded errors, as figures and in a report."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from reports.figures.errors import error_figures, picture_sheet
from reports.page.films import relative_links
from reports.write import write_report
from tests.reports.report_frames import info, study
from tests.undrawn import undrawn


def sheet(folder: Path, name: str = "own", rows: int = 2, columns: int = 3) -> Path:
    folder.mkdir(exist_ok=True)
    pictures = np.random.default_rng(0).integers(0, 256, (rows, columns, 16, 16, 3), dtype=np.uint8)
    names = {"rows": [f"row {i}" for i in range(2)], "columns": [f"t = {i}" for i in range(3)]}
    np.savez(folder / f"{name}.npz", pictures=pictures, **{key: np.array(value) for key, value in names.items()})
    return folder


def lean(variants: dict[str, float]) -> pd.DataFrame:
    """A study of one metric."""
    frame = study(variants=variants, tracks=["consistent-50s"], clips=4)
    return frame[frame["metric"] == "background_psnr"]


def test_a_sheet_has_a_picture_a_panel(tmp_path: Path) -> None:
    figure = picture_sheet(sheet(tmp_path) / "own.npz", "mine")
    assert len(figure.axes) == 6
    assert [axes.get_title() for axes in figure.axes[:3]] == ["t = 0", "t = 1", "t = 2"]
    assert [figure.axes[i].get_ylabel() for i in (0, 3)] == ["row 0", "row 1"]
    assert all(len(axes.images) == 1 for axes in figure.axes)


def test_pictures_without_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"received uint8 \[2, 4, 16, 16, 3\], expected uint8 \[2, 3, H, W, 3\]"):
        picture_sheet(sheet(tmp_path, columns=4) / "own.npz", "mine")


def test_only_the_sheets_that_are_there(tmp_path: Path) -> None:
    assert list(error_figures(info())) == []
    names = [name for name, _ in error_figures(info(errors={"full": str(sheet(tmp_path))}))]
    assert names == ["errors-own-full"]


def test_a_report_shows_them(tmp_path: Path) -> None:
    folder = sheet(sheet(tmp_path / "errors"), "injected")
    about = info(tracks=["consistent-50s"], errors={"full": str(folder)})
    with undrawn():
        write_report(lean(dict.fromkeys(about.variants, 20.0)), about, tmp_path, relative_links(tmp_path))
    assert "(figures/errors-injected-full.png)" in (tmp_path / "report.md").read_text()
    assert (tmp_path / "figures" / "errors-own-full.png").is_file()
    page = (tmp_path / "report.html").read_text()
    assert page.index('<section id="errors">') < page.index('<div class="opening">')  # the pictures first
    assert 'alt="errors-own-full"' in page


def test_a_row_of_a_comparison_is_no_folder_of_its_picture(tmp_path: Path) -> None:
    changed = info(
        tracks=["consistent-50s"],
        baseline="A/full",
        variants={"A/full": {}, "base": {}},
        errors={"A/full": str(sheet(tmp_path / "errors"))},
    )
    with undrawn():
        write_report(lean({"A/full": 30.0, "base": 16.0}), changed, tmp_path, relative_links(tmp_path))
    (picture,) = tmp_path.glob("figures/errors-own-A_full-*.png")
    assert f"](figures/{picture.name})" in (tmp_path / "report.md").read_text()
