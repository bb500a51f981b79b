"""Answers, Markdown, CSV and LaTeX of a report."""

import math
import re

import pandas as pd
import pytest

from reports.answer import answer
from reports.measures import Measure, lead_measure, split_measures
from reports.summary import summarise
from reports.tables import csv, escape_latex, latex, markdown, markdown_further
from tests.reports.report_frames import LATE, info, rows, study, study_summary


def test_the_answer_says_which_intervals_exclude_zero() -> None:
    text = answer(summarise(study(seeds=(0,)), info()), info(), "consistent-50s")
    assert text.startswith("On late background PSNR (consistent-50s), base (\N{MINUS SIGN}13.")
    assert "no_e_img (\N{MINUS SIGN}" in text.partition("end worse than full (each 95 % interval excludes 0)")[0]
    rest = text.partition("excludes 0); ")[2]
    assert rest.startswith("no_e_vid (")
    assert rest.endswith("dB) is not told apart from full (the 95 % interval includes 0).")


def test_the_answer_knows_that_lower_can_be_better() -> None:
    values = {"full": (0.30, 0.31, 0.32), "base": (0.10, 0.12, 0.11)}
    films = [
        rows(variant, "colour_drift", [value] * 5, sample=sample)
        for variant, curve in values.items()
        for sample, value in zip("abc", curve, strict=True)
    ]
    text = answer(summarise(pd.concat(films), info()), info(), "consistent-50s")
    assert re.search(r"base \(\N{MINUS SIGN}0\.20\d* ± 0\.\d+\) ends better than full", text)  # a share has no unit


def test_one_film_gives_no_interval() -> None:
    films = [rows("full", "background_psnr", [30.0] * 5), rows("base", "background_psnr", [20.0] * 5)]
    text = answer(summarise(pd.concat(films), info()), info(), "consistent-50s")
    assert "the 95 % interval cannot be given" in text


def test_without_the_baseline_no_difference_is_stated() -> None:
    summary = summarise(study(variants={"base": 16.0}), info())
    assert "no variant shares a scored film with full" in answer(summary, info(), "consistent-50s")


def test_the_lead_is_background_psnr_or_else_the_first_curve_with_a_direction() -> None:
    frame = study()
    assert lead_measure(summarise(frame, info()), "consistent-50s") == Measure("background_psnr", "late")
    real = frame[~frame["metric"].isin(["background_psnr", "ssim"])]
    summary = summarise(real, info())
    assert lead_measure(summary, "consistent-50s") == Measure("colour_drift", "late")
    main, _ = split_measures(summary, "consistent-50s")
    assert main[:2] == [Measure("colour_drift", "late"), Measure("motion", "late")]


def test_markdown_has_a_row_a_variant_and_at_most_nine_aligned_columns() -> None:
    text = markdown(study_summary(), info())
    table = [line for line in text.splitlines() if line.startswith("|")][:6]
    assert len({len(line) for line in table}) == 1
    assert table[0].count("|") <= 10
    assert [line.split("|")[1].strip() for line in table[2:]] == ["base", "full", "no_e_img", "no_e_vid"]
    assert "bg PSNR late ↑ |" in table[0]
    assert "Δ to full" in table[0]
    assert "n = 2 seeds" in text


def test_one_seed_says_that_training_is_not_in_the_error() -> None:
    text = markdown(summarise(study(seeds=(0,)), info()), info())
    assert "n = 3 samples of one seed: the variation between trainings is not in it" in text


def test_the_published_table_stands_apart_below_ours() -> None:
    text = markdown(study_summary(), info())
    ours, _, published = text.partition("**Published, not ours.**")
    assert "no_e_img" in ours
    assert "73.82" not in ours
    assert "without E_img" in published
    assert "73.82" in published
    assert "Wan 2.1 14B" in published
    assert "Published" not in markdown(study_summary(), info(compare_to=None))


def test_skipped_cells_say_so_and_name_the_reason() -> None:
    text = markdown(study_summary(), info())
    base = next(line for line in text.splitlines() if line.startswith("| base"))
    assert "skipped" in base
    assert "- Skipped: SSIM of base: no true film is stored." in text


def test_a_metric_without_any_value_is_no_column() -> None:
    frame = study()
    frame = frame[(frame["metric"] != "ssim") | (frame["variant"] == "base")]
    text = markdown(summarise(frame, info()), info())
    assert "SSIM late" not in text
    assert "- Not scored: SSIM: no true film is stored." in text


def test_a_variant_without_films_is_named() -> None:
    text = markdown(summarise(study(variants={"base": 16.0, "full": 30.0}), info()), info())
    assert "no result" in next(line for line in text.splitlines() if line.startswith("| no_e_img"))
    assert "No result: no_e_img, no_e_vid" in text


def test_further_measures_are_not_lost() -> None:
    main, further = split_measures(study_summary(), "consistent-50s")
    assert Measure("colour_drift", "late") in further
    assert not set(main) & set(further)
    assert "colour drift late ↓" in markdown_further(study_summary(), info())


def test_csv_is_the_same_for_the_same_rows_in_any_order() -> None:
    frame = study(clips=6)
    text = csv(frame)
    assert text == csv(frame.sample(frac=1, random_state=1))
    assert text.splitlines()[0].startswith("experiment,variant,track,seed,sample,metric,clip,value,")
    assert "\r" not in text
    assert csv(rows("full", "gain", [1 / 3])).splitlines()[1].split(",")[7] == "0.333333333"


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
    text = latex(study_summary(), info())
    assert text.count(r"\toprule") == text.count(r"\bottomrule") == 3
    assert r"no\_e\_img & " in text
    assert r"\caption{Published, not ours." in text
    assert "±" not in text


def test_hostile_names_stay_text_in_tables() -> None:
    name = "a|b<script>&_"
    changed = info(variants={name: {}, "full": {}})
    summary = summarise(study(variants={name: LATE["base"], "full": 30.0}), changed)
    assert r"a\|b\<script>" in markdown(summary, changed)
    assert r"a\textbar{}b\textless{}script\textgreater{}\&\_" in latex(summary, changed)


def test_an_undefined_mean_is_never_printed_as_a_number() -> None:
    frame = study()
    frame.loc[(frame["metric"] == "motion") & (frame["variant"] == "base"), "value"] = math.nan
    text = markdown(summarise(frame, info()), info())
    assert "nan" not in text
    assert "motion of base: undefined for every sample" in text
