"""Markdown, CSV and LaTeX of a report."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from reports.statistics.measures import Measure, split_measures
from reports.tables.answer import answer
from reports.tables.text import csv, escape_latex, escape_markdown, latex, markdown, markdown_further
from reports.tables.track_tables import main_grids
from tests.reports.report_frames import (
    LATE,
    judged,
    judged_info,
    judged_report,
    report,
    rows,
    skipped,
    study,
    study_report,
    study_summary,
    study_view,
)

TRACK = "consistent-50s"
ALONE = replace(study_report().info, compare_to=())
"""Without published tables."""


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


@pytest.mark.parametrize("form", [markdown, latex])
def test_every_form_has_the_drift_right_behind_the_main_table(form: Callable[..., str]) -> None:
    text = form(replace(judged_report(), info=judged_info(compare_to=())))
    main, _, drift = text.partition("slope per minute")
    assert "subject consistency" in main
    assert main.count("whole film") == 1
    assert drift.count("motion smoothness") >= 1


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
