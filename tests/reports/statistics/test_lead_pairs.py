"""The difference over films whose object had the same fate, beside that over all."""

import pandas as pd
import pytest

from reports.statistics.lead_pairs import lead_trainings, same_fate
from reports.tables.track_tables import FATES, main_grids
from tests.reports.report_frames import KINDS, LATE, TRACKS, VARIANTS, rows, study, study_view, view

SAMPLES = "abcdefgh"


@pytest.fixture
def films(monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """`base` ends 1 dB below `full`, and 5 dB above it in the two films in which it alone lost its object."""
    monkeypatch.setitem(KINDS, "object_kept", ("higher", "share"))
    parts = []
    for index, sample in enumerate(SAMPLES):
        lost = sample in "ab"
        end = 30 + 0.1 * (index % 3)
        parts += [
            rows("full", "background_psnr", [end] * 5, sample=sample),
            rows("full", "object_kept", [1.0] * 5, sample=sample),
            rows("base", "background_psnr", [end + (5 if lost else -1) + 0.01 * index] * 5, sample=sample),
            rows("base", "object_kept", [0.1 if lost else 0.9] * 5, sample=sample),
        ]
    return pd.concat(parts)


def test_pairs_of_another_fate_are_left_out_and_counted(films: pd.DataFrame) -> None:
    found = same_fate(view(films))["base"]
    assert (found.pairs, found.of) == (6, 8)
    assert found.difference.mean == pytest.approx(-1, abs=0.1)
    assert found.difference.high < 0
    delta = view(films).rows.query("variant == 'base' and metric == 'background_psnr' and statistic == 'late'")["delta"]
    assert delta.item() == pytest.approx((2 * 5 - 6) / 8, abs=0.1)


def test_of_two_objects_the_share_that_is_kept_tells_no_fate(films: pd.DataFrame) -> None:
    assert same_fate(view(films, objects=2)) == {}


def test_the_main_table_has_it_beside_the_difference_over_all(films: pd.DataFrame) -> None:
    grid = main_grids(view(films))[0]
    column = grid.heads.index("Δ, same fate")
    assert grid.heads[column - 1] == "Δ to full"
    cells = {row[0].text: row[column].text for row in grid.rows}
    assert cells["base"].endswith("(6 of 8)")
    assert FATES in grid.notes


def test_where_no_fate_is_known_there_is_no_such_column() -> None:
    assert same_fate(study_view()) == {}
    assert "Δ, same fate" not in main_grids(study_view())[0].heads


def test_the_films_of_the_baseline_tell_nothing_of_how_far_rows_differ() -> None:
    names = {name: VARIANTS[name] for name in ("full", "no_e_img")}
    alone = study({name: LATE[name] for name in names}, tracks=TRACKS[:1])
    again = alone[alone["variant"] == "full"].assign(variant="same")
    films = {name: [f"/films/{'full' if name == 'same' else name}.mp4"] for name in (*names, "same")}
    of_two = lead_trainings(view(alone, variants=names, tracks=[TRACKS[0]]))
    of_three = lead_trainings(
        view(pd.concat([alone, again]), variants=names | {"same": {}}, tracks=[TRACKS[0]], videos={TRACKS[0]: films})
    )
    assert of_two is not None
    assert of_two == of_three
