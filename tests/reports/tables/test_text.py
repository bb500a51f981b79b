"""Answers, Markdown, CSV and LaTeX of a report."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.statistics.measures import Measure, lead_measure, split_measures
from reports.statistics.view import ReportView
from reports.tables.answer import answer
from reports.tables.grid import NONE, Cell
from reports.tables.settings_table import settings_grid
from reports.tables.text import csv, escape_latex, escape_markdown, latex, markdown, markdown_further
from reports.tables.track_tables import drift_grid, further_grids, main_grids
from tests.reports.report_frames import (
    LATE,
    VBENCH,
    info,
    judged,
    judged_info,
    judged_report,
    judged_view,
    report,
    rows,
    skipped,
    study,
    study_report,
    study_summary,
    study_view,
    view,
    whole,
)

TRACK = "consistent-50s"
ALONE = replace(study_report().info, compare_to=())
"""Without published tables."""


def test_the_answer_says_which_end_worse_with_their_intervals() -> None:
    text = answer(view(study(seeds=(0,))))
    number = r"[+\N{MINUS SIGN}][\d.]+"
    told = rf"\({number} dB, 95 % interval {number} to {number}\)"
    worse, same = text.split("; ")
    assert re.fullmatch(
        rf"On late background PSNR \(consistent-50s\), base {told} and no_e_img "
        rf"\({number} dB, {number} to {number}\) end worse than full",
        worse,
    )
    assert re.fullmatch(rf"no_e_vid {told} makes no difference that these films can show\.", same)


def test_the_answer_names_the_largest_differences_where_there_are_many() -> None:
    late = {"full": 30.0, **{f"v{n:02d}": 10.0 + n for n in range(9)}}
    frame = study(variants=late, tracks=[TRACK], clips=6)
    frame = frame[frame["metric"] == "background_psnr"]
    said = answer(view(frame, variants={name: {} for name in late}, tracks=[TRACK]))
    assert [f"v{n:02d}" in said for n in range(9)] == [True] * 6 + [False] * 3
    assert " and 3 more end worse than full." in said


def test_the_answer_knows_that_lower_can_be_better() -> None:
    values = {"full": (0.30, 0.31, 0.32, 0.31, 0.30, 0.32), "base": (0.10, 0.12, 0.11, 0.10, 0.12, 0.11)}
    films = [
        rows(variant, "colour_drift", [value] * 5, sample=sample)
        for variant, curve in values.items()
        for sample, value in zip("abcdef", curve, strict=True)
    ]
    text = answer(view(pd.concat(films)))
    assert re.search(
        r"base \(\N{MINUS SIGN}0\.20\d*, 95 % interval .*\) ends better than full", text
    )  # a share has no unit


def test_few_films_give_no_interval() -> None:
    films = [rows("full", "background_psnr", [30.0] * 5), rows("base", "background_psnr", [20.0] * 5)]
    text = answer(view(pd.concat(films)))
    assert text.endswith("dB over 1 sample) cannot be told apart from full: an interval needs 6 samples.")
    notes = main_grids(view(pd.concat(films)))[0].notes
    assert any("none from fewer than 6 samples, too few to trust" in note for note in notes)


def test_a_difference_that_does_not_outlive_the_number_of_comparisons_is_not_claimed() -> None:
    summary = study_summary()
    summary.loc[summary["variant"] == "no_e_img", "delta_holm"] = 0.06
    text = answer(replace(study_view(), summary=summary))
    assert "base" in text.partition("ends worse than full")[0]
    assert re.search(r"no_e_img \([^)]*\) differs from full, but not once 3 comparisons are accounted for", text)


def test_bold_is_what_is_shown_to_be_best_in_every_form() -> None:
    bold = {row[0].text: [cell.best for cell in row] for row in main_grids(study_view())[0].rows}
    alone = replace(study_report(), info=ALONE)
    text, tex = markdown(alone), latex(alone)
    assert not any(bold["base"])
    assert any(bold["no_e_img"])  # eps, by far
    grids = [grid for one in study_report().tracks for grid in main_grids(one)]
    count = sum(cell.best for grid in grids for row in grid.rows for cell in row)
    assert text.count("| **") == tex.count(r"\textbf{") == count
    assert "- Bold: better than every other variant" in text


def test_without_the_baseline_no_difference_is_stated() -> None:
    assert "no variant shares a scored film with full" in answer(view(rows("base", "background_psnr", [31.0, 16.0])))


def test_the_lead_is_background_psnr_or_else_the_first_curve_with_a_direction() -> None:
    summary = study_summary()
    assert lead_measure(summary, "consistent-50s") == Measure("background_psnr", "late")
    summary = summary[~summary["metric"].isin(["background_psnr", "ssim"])]
    assert lead_measure(summary, "consistent-50s") == Measure("colour_drift", "late")
    main, _ = split_measures(summary, "consistent-50s")
    assert main[:2] == [Measure("colour_drift", "late"), Measure("motion", "late")]


def test_markdown_has_a_row_a_variant_and_at_most_nine_aligned_columns() -> None:
    text = markdown(study_report())
    table = [line for line in text.splitlines() if line.startswith("|")][:6]
    assert len({len(line) for line in table}) == 1
    assert table[0].count("|") <= 10
    assert [line.split("|")[1].strip() for line in table[2:]] == ["base", "full", "no_e_img", "no_e_vid"]
    assert "bg PSNR late ↑ |" in table[0]
    assert "Δ to full" in table[0]
    assert "n = 2 seeds" in text


def test_what_several_tables_need_to_be_read_is_said_once_behind_them() -> None:
    lines = markdown(study_report()).splitlines()
    notes = [line for line in lines if line.startswith("- ")]
    assert len(notes) == len(set(notes))
    assert sum(line.startswith("- Bold: ") for line in lines) == 1
    last_row = max(at for at, line in enumerate(lines) if line.startswith("| no_e_vid"))
    assert lines.index("Of the tables above:") > last_row


def test_one_seed_says_that_training_is_not_in_the_error() -> None:
    text = markdown(report(study(seeds=(0,))))
    assert "n = 6 samples of one seed: the variation between trainings is not in it" in text


def test_the_published_table_stands_apart_below_ours() -> None:
    text = markdown(study_report())
    ours, _, published = text.partition("Published figures of arXiv")
    assert "no_e_img" in ours
    assert "73.82" not in ours
    assert "without E_img" in published
    assert "73.82" in published
    assert "Wan 2.1 14B" in published
    assert "Published" not in markdown(replace(study_report(), info=ALONE))


def test_skipped_cells_say_so_and_name_the_reason() -> None:
    text = markdown(study_report())
    base = next(line for line in text.splitlines() if line.startswith("| base"))
    assert "skipped" in base
    assert "- Skipped: SSIM of base: no true film is stored." in text


def test_a_metric_without_any_value_is_no_column() -> None:
    frame = pd.concat([rows("full", "background_psnr", [30.0] * 5), skipped("base", "ssim", "no true film is stored")])
    text = markdown(report(frame))
    assert "SSIM late" not in text
    assert "- Not scored: SSIM: no true film is stored." in text


def test_a_variant_without_films_is_named() -> None:
    text = markdown(report(study(variants={"base": 16.0, "full": 30.0})))
    assert "no result" in next(line for line in text.splitlines() if line.startswith("| no_e_img"))
    assert "No result: no_e_img, no_e_vid" in text


def test_further_measures_are_not_lost() -> None:
    main, further = split_measures(study_summary(), "consistent-50s")
    assert Measure("colour_drift", "late") in further
    assert not set(main) & set(further)
    assert "colour drift late ↓" in markdown_further(study_report())


def test_csv_is_the_same_for_the_same_rows_in_any_order() -> None:
    frame = study(clips=6)
    text = csv(frame)
    assert text == csv(frame.sample(frac=1, random_state=1))
    assert text.splitlines()[0].startswith("experiment,variant,track,seed,sample,metric,view,clip,value,")
    assert "\r" not in text
    assert csv(rows("full", "gain", [1 / 3])).splitlines()[1].split(",")[8] == "0.333333333"


def test_csv_keeps_the_declared_order_of_a_summary() -> None:
    text = csv(study_summary())
    assert text.index("no_e_vid") > text.index("consistent-50s,full")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no_e_img", r"no\_e\_img"),
        (r"50 % & #1 {a} \b", r"50 \% \& \#1 \{a\} \textbackslash{}b"),
        ("\N{MINUS SIGN}9.7 ± 0.3", r"$-$9.7 $\pm$ 0.3"),
        ("x^2 ~ $y$ <z>", r"x\textasciicircum{}2 \textasciitilde{} \$y\$ \textless{}z\textgreater{}"),
    ],
)
def test_latex_escapes(text: str, expected: str) -> None:
    assert escape_latex(text) == expected


def test_latex_is_booktabs_with_the_published_table_captioned_apart() -> None:
    text = latex(study_report())
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 3
    assert r"no\_e\_img & " in text
    assert "Published figures of arXiv" in text
    assert "±" not in text


def test_hostile_names_stay_text_in_tables() -> None:
    name = "a|b<script>&_"
    changed = report(study(variants={name: LATE["base"], "full": 30.0}, clips=4), variants={name: {}, "full": {}})
    assert r"a\|b\<script>" in markdown(changed)
    assert r"a\textbar{}b\textless{}script\textgreater{}\&\_" in latex(changed)


def test_an_undefined_mean_is_never_printed_as_a_number() -> None:
    frame = study()
    frame.loc[(frame["metric"] == "motion") & (frame["variant"] == "base"), "value"] = math.nan
    text = markdown(report(frame))
    assert "nan" not in text
    assert "motion of base: undefined for every sample" in text


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


@pytest.mark.parametrize("form", [markdown, latex])
def test_every_form_has_the_drift_right_behind_the_main_table(form: Callable[..., str]) -> None:
    text = form(replace(judged_report(), info=judged_info(compare_to=())))
    main, _, drift = text.partition("slope per minute")
    assert "subject consistency" in main
    assert main.count("whole film") == 1
    assert drift.count("motion smoothness") >= 1


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


def test_only_trivial_baselines_leave_no_difference_to_state() -> None:
    only = judged_view(judged({"full": (0.97, 0.9), "copy_image": (1.0, 0.0)}), variants={"full": {}, "copy_image": {}})
    assert answer(only).endswith("only trivial baselines stand beside full: there is nothing to compare it with.")


def test_one_variant_alone_is_said_to_be_alone() -> None:
    said = answer(judged_view(judged({"full": (0.97, 0.9)}), variants={"full": {}}, trivial=()))
    assert said.endswith("only full was run: there is nothing to compare it with.")


def test_settings_are_told_in_six_digits() -> None:
    grid = settings_grid(info(variants={"base": {"train.lr": 0.1 + 0.2, "train.steps": 1234567}, "full": {}}))
    assert grid is not None
    assert [[cell.text for cell in row] for row in grid.rows] == [["base", "0.3", "1234567"], ["full", NONE, NONE]]


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


def test_a_metric_of_a_set_has_one_value_a_seed() -> None:
    sets = [rows(name, "fvd", [300.0 + seed], sample="all", seed=seed) for name in ("base", "full") for seed in (0, 1)]
    text = markdown(report(pd.concat(sets), compare_to=()))
    assert "300.5 ± 0.5" in text
    assert "n = 2 seeds" in text
    text = markdown(report(pd.concat(sets[::2]), compare_to=()))
    assert "n = 1 seed." in text
    assert "± 0" not in text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no_e_img", "no_e_img"),
        ("_a_ ~~b~~ __c", r"\_a\_ \~~b\~~ \_\_c"),
        ("[a](b) ![c](d) &lt; $x$", r"\[a](b) !\[c](d) \&lt; \$x\$"),
        ("a\n\n# b", "a # b"),
        ("a|b\\", r"a\|b\\"),
    ],
)
def test_markdown_escapes(text: str, expected: str) -> None:
    assert escape_markdown(text) == expected


def test_a_paragraph_begins_no_heading_quotation_or_list() -> None:
    begins = [escape_markdown(text, in_cell=False) for text in ("# a", "> a", "- a", "12. a", "12 dB", "a # b")]
    assert begins == [r"\# a", r"\> a", r"\- a", r"12\. a", "12 dB", "a # b"]


def test_a_latex_line_cannot_begin_with_an_option_of_the_line_above() -> None:
    name = "[2pt]*"
    films = [rows(variant, "background_psnr", [30.0, 16.0]) for variant in (name, "full")]
    text = latex(report(pd.concat(films), variants={"full": {}, name: {}}))
    assert re.search(r"\\\\\n +{\[}2pt{\]}{\*} & ", text)


def test_what_a_reader_must_know_of_a_score_stands_below_its_table() -> None:
    films = [
        rows(variant, "fvd", [310.0], sample="all", view="film", clip=-1, reason="FVD of 16 films, fewer than 256")
        for variant in ("full", "base")
    ]
    both = report(pd.concat(films), variants={"full": {}, "base": {}})
    assert set(both.summary["status"]) == {"ok"}
    assert "- FVD: FVD of 16 films, fewer than 256." in markdown(both)


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


def test_videos_made_elsewhere_have_no_variation_between_trainings_and_one_alone_no_answer() -> None:
    changed: dict[str, Any] = {"variants": {"full": {}, "base": {}}, "trained": False, "compare_to": ()}
    frame = judged({"full": (0.97, 0.9), "base": (0.8, 0.4)}, seeds=(0,))
    both = markdown(report(frame, tracks=[TRACK], **changed))
    assert both.startswith("On late imaging quality")
    assert "- Mean ± standard error, n = 6 samples.\n" in both
    alone = report(frame[frame["variant"] == "full"], tracks=[TRACK], **changed)
    assert answer(alone.tracks[0]) == ""
    assert markdown(alone).startswith(f"**{TRACK}**\n\n| variant")
    assert r"\caption{ablation\_eimg on consistent-50s (toy-wan). Mean $\pm$" in latex(alone)


def test_tables_with_the_consistencies_say_how_they_are_averaged() -> None:
    main, drift = main_grids(judged_view())
    said = "Subject consistency, background consistency over videos: mean; VBench's own overall weights these two by frames"
    assert sum(note.startswith(said) for note in main.notes) == 1
    assert not any("weights these two" in note for note in [*drift.notes, *main_grids(study_view())[0].notes])
