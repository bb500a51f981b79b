"""How variants end on the lead measure: a row each, and the word that the answer has for it."""

import pandas as pd

from reports.statistics.measures import Measure
from reports.statistics.view import ReportView, TrackView
from reports.tables.answer import answer
from reports.tables.ending_grid import WORDS, ending_grid, length_grid
from reports.tables.grid import Grid
from reports.tables.verdict import verdict
from tests.reports.report_frames import TRACKS, VARIANTS, info, report, rows, study


def view(frame: pd.DataFrame | None = None, **about: object) -> TrackView:
    return ReportView.of(study() if frame is None else frame, info(**about)).tracks[0]


def texts(grid: Grid | None) -> dict[str, list[str]]:
    assert grid is not None
    return {row[0].text: [cell.text for cell in row[1:]] for row in grid.rows}


def test_every_compared_variant_has_its_value_its_difference_and_the_word_of_the_answer() -> None:
    shown = view()
    grid = ending_grid(shown)
    found = texts(grid)
    assert grid is not None
    assert grid.heads == ["variant", "bg PSNR late, dB ↑", "Δ to full (95 % interval)", "verdict"]
    assert {name: cells[-1] for name, cells in found.items()} == {
        "base": "worse",
        "full": "the baseline",
        "no_e_img": "worse",
        "no_e_vid": "undecided",
    }
    assert found["base"][1].startswith("−13.95 (−14.")
    assert found["full"][1] == "–"
    assert "is undecided" in answer(shown)
    assert all(word in WORDS.values() for name, (*_, word) in found.items() if name != "full")


def test_what_hangs_on_two_films_is_said_beside_the_verdict() -> None:
    more = dict(zip("abcdefgh", (0.05, -0.1, 1.2, 0.0, 0.3, 1.1, 0.4, 0.35), strict=True))
    films = [
        rows(name, "background_psnr", [30 + (name == "base") * more[sample]] * 5, sample=sample)
        for name in ("full", "base")
        for sample in more
    ]
    about = {"variants": {"full": {}, "base": {}}, "tracks": [TRACKS[0]], "seeds": [0]}
    assert texts(ending_grid(view(pd.concat(films), **about)))["base"][-1] == "better, hangs on two films"


def test_trivial_baselines_are_left_out_and_few_films_decide_nothing() -> None:
    films = [rows(name, "background_psnr", [31.0, end]) for name, end in (("base", 16.0), ("full", 30.0))]
    variants: dict[str, dict[str, object]] = {"base": {}, "full": {}, "still": {}}
    about = {"variants": variants, "trivial": ("still",), "tracks": [TRACKS[0]], "seeds": [0]}
    found = texts(ending_grid(view(pd.concat(films), **about)))
    assert found == {"base": ["16.0", "−14.0", "too few films"], "full": ["30.0", "–", "the baseline"]}


def test_a_track_without_a_metric_of_a_better_direction_has_none() -> None:
    films = pd.concat([rows(name, "motion", [0.1, 0.2]) for name in ("base", "full")])
    assert ending_grid(view(films, variants={"base": {}, "full": {}}, tracks=[TRACKS[0]], seeds=[0])) is None


def test_long_films_are_shown_by_length() -> None:
    assert length_grid(view()) is None
    curves = {"base": [30.0] * 100 + [10.0] * 100, "full": [30.0] * 200}
    films = pd.concat([rows(name, "background_psnr", curve) for name, curve in curves.items()])
    about = {"variants": {"base": {}, "full": {}}, "tracks": [TRACKS[0]], "seeds": [0]}
    grid = length_grid(view(films, **about))
    found = texts(grid)
    assert grid is not None
    assert grid.heads == ["variant", "50 s", "100 s"]
    assert {name: [float(cell) for cell in cells] for name, cells in found.items()} == {
        "base": [30.0, 20.0],
        "full": [30.0, 30.0],
    }


def test_what_ends_the_same_in_every_film_is_not_called_undecided() -> None:
    frame = study(tracks=TRACKS[:1])
    again = frame[frame["variant"] == "full"].assign(variant="warm")
    warmed = report(pd.concat([frame, again]), variants=VARIANTS | {"warm": {}}, tracks=[TRACKS[0]])
    assert texts(ending_grid(warmed.tracks[0]))["warm"][-1] == "the same"
    assert "warm ends exactly as full does" in answer(warmed.tracks[0])
    for wanted in ("worse", "different"):
        asked = report(
            pd.concat([frame, again]),
            variants=VARIANTS | {"warm": {}},
            tracks=[TRACKS[0]],
            yes_if=("warm", wanted),
        )
        assert verdict(asked).head == "No."


def test_a_variant_with_the_films_of_the_baseline_is_compared_with_nothing() -> None:
    films = {name: [f"/films/{'full' if name == 'no_e_vid' else name}.mp4"] for name in VARIANTS}
    alone, usual = view(videos={TRACKS[0]: films}), view()
    found = texts(ending_grid(alone))
    assert found["no_e_vid"][1:] == ["–", "the same films"]
    assert answer(alone).endswith("no_e_vid is full itself here.")
    assert "undecided" not in answer(alone)
    of_two, of_three = (one.rows_of(Measure("background_psnr", "late")).set_index("variant") for one in (alone, usual))
    assert of_two.loc["base", "delta_holm"] == 2 / 3 * of_three.loc["base", "delta_holm"]
    one_track = study(tracks=TRACKS[:1])
    asked = report(one_track, videos={TRACKS[0]: films}, yes_if=("no_e_vid", "worse"), tracks=[TRACKS[0]])
    assert verdict(asked).head == "Not answered: no_e_vid is full itself here."
    nothing_else = {name: VARIANTS[name] for name in ("full", "no_e_vid")}
    pair = one_track[one_track["variant"].isin(nothing_else)]
    assert answer(view(pair, videos={TRACKS[0]: films}, variants=nothing_else)).endswith(
        "there is nothing to compare: no_e_vid is full itself here."
    )
