"""The published figures: rows as the paper prints them."""

import pytest

from reports.tables.published import published, published_grids


def test_table_4_is_the_paper_s_ablation() -> None:
    rows = published("svi-4")
    assert list(dict.fromkeys(rows["method"])) == ["Wan 2.1", "without E_img", "without E_noi", "without E_vid", "full"]
    cell = rows[(rows["method"] == "without E_img") & (rows["metric"] == "subject_consistency")]
    assert list(cell["value"]) == ["73.82"]
    assert set(rows["source"]) == {"arXiv 2510.09212 Table 4 (ablation, 1 epoch)"}


@pytest.mark.parametrize(("name", "count"), [("svi-1", 132), ("svi-2", 9), ("svi-3", 9), ("svi-5", 18)])
def test_other_tables_follow_the_same_scheme(name: str, count: int) -> None:
    assert len(published(name)) == count


def test_a_table_of_several_tracks_is_a_grid_a_track_and_duration() -> None:
    grids = published_grids("svi-1")
    assert [grid.title.partition(": ")[2] for grid in grids] == [
        "consistent 50 s", "consistent 250 s", "creative 50 s", "creative 250 s",
    ]  # fmt: skip
    assert [cell.text for cell in grids[0].rows[0]][:2] == ["Wan 2.1", "87.03"]


def test_a_leading_zero_is_put_back() -> None:
    assert published_grids("svi-2")[0].rows[0][1].text == "0.21"


def test_an_unknown_table_lists_those_that_exist() -> None:
    with pytest.raises(ValueError, match="received 'svi-44', expected one of svi-1, svi-2"):
        published("svi-44")
