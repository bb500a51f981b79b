"""A track's tables: which columns, the drift behind numbers of whole films, and the notes below."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.statistics.measures import Measure
from reports.statistics.trainings import Trainings
from reports.statistics.view import ReportView
from reports.tables.answer import answer
from reports.tables.grid import Cell
from reports.tables.text import markdown, markdown_further
from reports.tables.track_tables import drift_grid, further_grids, main_grids
from tests.reports.report_frames import (
    VBENCH,
    judged,
    judged_info,
    judged_report,
    judged_view,
    report,
    rows,
    skipped,
    study,
    study_view,
    view,
    whole,
)

TRACK = "consistent-50s"


def texts(cells: list[Cell]) -> list[str]:
    return [cell.text for cell in cells]


def test_a_number_of_the_whole_film_is_followed_by_its_drift() -> None:
    main, drift = main_grids(judged_view())
    assert main.heads[3:] == [
        "subject consistency ↑", "background consistency ↑", "dynamic degree ↑", "imaging ↑", "aesthetic ↑", "smoothness ↑",
    ]  # fmt: skip
    assert drift.title == "consistent-50s, drift"
    assert drift.heads == [
        "metric", "variant", "whole film", "Δ to full", "clip 1", "late", "contrast", "VDE", "slope per minute (95 % interval)",
    ]  # fmt: skip
    assert [row[0].text for row in drift.rows[::3]] == [
        "subject consistency ↑", "background consistency ↑", "dynamic degree ↑", "imaging quality ↑", "aesthetic quality ↑",
        "motion smoothness ↑",
    ]  # fmt: skip
    assert [row[1].text for row in drift.rows[:3]] == ["base", "full", "copy_image"]


def test_a_row_of_drift_holds_the_statistics_of_that_metric_and_variant() -> None:
    films = [
        whole("full", "imaging_quality", end, [0.9, 0.8, end], sample=name) for name, end in (("a", 0.7), ("b", 0.6))
    ]
    films += [whole("base", "imaging_quality", 0.5, [0.9, 0.5, 0.5], sample=name) for name in "ab"]
    _, grid = main_grids(view(pd.concat(films), tracks=[TRACK], clip_seconds=60.0, variants={"base": {}, "full": {}}))
    assert texts(grid.rows[1])[1:6] == ["full", "0.65 ± 0.05", "–", "0.90 ± 0.00", "0.65 ± 0.05"]
    # VDE of the two films: 2 x 1/9 + 2/9 and 2 x 1/9 + 3/9; slopes -0.1 and -0.15 a clip, each of a minute.
    assert texts(grid.rows[1])[6:8] == ["0.25 ± 0.05", "0.50 ± 0.06"]
    assert re.fullmatch(r"\N{MINUS SIGN}0\.1[23]\d?", grid.rows[1][8].text)  # and no interval of two films
    assert texts(grid.rows[0])[3] == "\N{MINUS SIGN}0.15"  # two samples: no error of a difference


def test_of_one_training_each_no_note_explains_what_is_bold() -> None:
    notes = main_grids(view(study(seeds=(0,))))[0].notes
    assert any("so nothing is bold" in note for note in notes)
    assert not any(note.startswith("Bold:") for note in notes)
    assert any(note.startswith("Bold:") for note in main_grids(study_view())[0].notes)


def test_of_one_training_each_the_note_says_what_the_shown_difference_knows_of_others() -> None:
    """Of the lead measure alone, whose difference it is."""

    def notes(metric: str, statistic: str) -> str:
        known = {(TRACK, metric, statistic): Trainings(0.1, 8, 1e-3, 120, 8)}
        return "\n".join(main_grids(view(study(seeds=(0,)), known=known))[0].notes)

    of_other = notes("gain", "value")
    assert "spread of trainings" not in of_other
    assert "how far another training would end is not in it.\n" in of_other  # and the other one may be bold
    told = notes("background_psnr", "late")
    assert "its ± has the spread of trainings in it, as earlier runs of several seeds found it.\n" in told
    assert "another training" not in told


def test_a_row_of_the_baselines_own_training_is_said_to_be_one() -> None:
    notes = main_grids(view(study(seeds=(0,)), trainings={"full": {0: "a"}, "no_e_vid": {0: "a"}}))[0].notes
    said = "; no_e_vid: films of the training of full, which is one and stands for no other;"
    assert any(said in note for note in notes)


def test_a_metric_without_a_number_of_the_whole_film_needs_no_drift_grid() -> None:
    assert len(main_grids(study_view())) == 1
    gain = [Measure("gain", "value"), Measure("background_psnr", "late")]
    assert drift_grid(study_view(), gain) is None


def test_further_whole_films_have_their_drift_behind_them_too() -> None:
    everything = pd.concat([study(tracks=[TRACK]), judged({"base": (0.8, 0.4), "full": (0.97, 0.9)})])
    everything["weights"] = "0a1b2c3d4e5f"
    both = report(everything, tracks=[TRACK])
    assert len(main_grids(both.tracks[0])) == 1
    plain, vbench, drift = further_grids(both.tracks[0])
    assert "colour drift late ↓" in plain.heads
    assert vbench.heads[1:4] == ["subject consistency ↑", "background consistency ↑", "dynamic degree ↑"]
    assert len(vbench.heads) == 1 + len(VBENCH)
    assert drift.title.endswith("drift")
    text = markdown_further(both)
    assert text.index("smoothness ↑") < text.index("slope per minute")


def test_dynamic_degree_and_motion_stand_beside_the_consistencies() -> None:
    motion = [
        rows(name, "motion", [0.1] * 10, sample=sample, seed=0, weights="0a1b2c3d4e5f")
        for name in ("base", "full")
        for sample in "abc"
    ]
    drift = [
        rows(name, "colour_drift", [0.1] * 10, sample=sample, seed=0) for name in ("base", "full") for sample in "abc"
    ]
    main, _ = main_grids(judged_view(pd.concat([judged(seeds=(0,)), *motion, *drift])))
    assert main.heads[1:7] == [
        "colour drift late ↓", "Δ to full", "subject consistency ↑", "background consistency ↑", "dynamic degree ↑", "motion late",
    ]  # fmt: skip
    assert set(main.heads[7:]) == {"imaging ↑", "aesthetic ↑", "smoothness ↑"}


def test_consistency_without_dynamic_degree_is_said_to_reward_stillness() -> None:
    frame = judged()
    frame = frame[frame["metric"] != "dynamic_degree"]
    still = [skipped(name, "dynamic_degree", "no weights") for name in ("base", "full", "copy_image")]
    for scores in (frame, pd.concat([frame, *still])):
        text = markdown(ReportView.of(scores, judged_info(compare_to=())))
        assert "Dynamic degree was not scored: consistency alone rewards a film that stands still." in text
    assert "Not scored: dynamic degree: no weights." in text
    assert "was not scored" not in markdown(replace(judged_report(), info=judged_info(compare_to=())))


def test_trivial_baselines_stand_below_with_a_note_and_answer_nothing() -> None:
    for grid in main_grids(judged_view()):
        assert [row[grid.names - 1].text for row in grid.rows][-1] == "copy_image"
        assert any(
            note.startswith("Trivial baselines (copy_image): they win on consistency alone") for note in grid.notes
        )
    assert "copy_image" not in answer(judged_view())
    assert "base" in answer(judged_view())


def test_an_undefined_drift_error_is_undefined_not_skipped() -> None:
    _, drift = main_grids(judged_view())
    still = next(row for row in drift.rows if row[0].text == "dynamic degree ↑" and row[1].text == "copy_image")
    assert still[7] == Cell("undefined", "undefined for every sample")
    assert "Skipped: VDE of dynamic degree of copy_image: undefined for every sample." in drift.notes


def test_a_variant_whose_metric_was_skipped_says_so_in_every_cell() -> None:
    frame = judged()
    gone = (frame["variant"] == "base") & (frame["metric"] == "imaging_quality")
    frame = pd.concat([frame[~gone], skipped("base", "imaging_quality", "no weights")])
    _, drift = main_grids(judged_view(frame))
    line = next(row for row in drift.rows if row[0].text == "imaging quality ↑" and row[1].text == "base")
    assert {(cell.text, cell.reason) for cell in line[2:]} == {("skipped", "no weights")}
    assert "Skipped: imaging quality of base: no weights." in drift.notes


LENGTHS = "Clips differ in length: base 100 of 0.5 s, Same 10 of 5 s; clip 1 and statistics over clips compare different spans."


def of_two_lengths() -> pd.DataFrame:
    curves = (("base", list(np.linspace(1, 0.5, 100))), ("Same", list(np.linspace(1, 0.5, 10))))
    return pd.concat(
        [whole(name, "imaging_quality", 0.7, curve, sample=sample) for name, curve in curves for sample in "ab"]
    )


def test_clips_that_differ_in_length_are_said_below_the_statistics_over_them() -> None:
    grids = main_grids(view(of_two_lengths(), variants={"base": {}, "Same": {}}, baseline="base", tracks=[TRACK]))
    assert [LENGTHS in grid.notes for grid in grids] == [True, True]  # the lead of the main one is over clips too
    alike = main_grids(judged_view())
    assert not any(note.startswith("Clips differ") for grid in alike for note in grid.notes)


def test_a_number_of_the_whole_film_without_a_curve_says_that_its_drift_is_not_known() -> None:
    official = [
        rows("full", "gain", [0.7], sample=name, direction="higher").assign(metric="imaging_quality.official")
        for name in "ab"
    ]
    frame = pd.concat([study(tracks=[TRACK]), judged({"base": (0.8, 0.4), "full": (0.97, 0.9)}), *official])
    shown = view(frame.assign(weights=""), tracks=[TRACK])
    grids = [*main_grids(shown), *further_grids(shown)]
    flat = [note for grid in grids for note in grid.notes if "no curve over clips" in note]
    assert flat == [
        "Imaging quality (official): no curve over clips, so how it drifts is not known."
    ]  # and not of gain
    sync = [rows("full", "gain", [7.0]).assign(metric=name) for name in ("sync_c", "sync_d", "face_found")]
    text = markdown(report(pd.concat(sync), tracks=[TRACK]))
    assert "- Sync-C, Sync-D: no curve over clips, so how they drift is not known." in text


def test_tables_with_the_consistencies_say_how_they_are_averaged() -> None:
    main, drift = main_grids(judged_view())
    said = "Subject consistency, background consistency over videos: mean; VBench's own overall weights these two by frames"
    assert sum(note.startswith(said) for note in main.notes) == 1
    assert not any("weights these two" in note for note in [*drift.notes, *main_grids(study_view())[0].notes])
