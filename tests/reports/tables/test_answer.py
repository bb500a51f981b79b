"""The answer to a report's question, as a sentence."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd

from reports.tables.answer import ONCE, answer
from reports.tables.numbers import between
from reports.tables.track_tables import main_grids
from tests.reports.report_frames import judged, judged_view, rows, study, study_summary, study_view, view

TRACK = "consistent-50s"


def test_the_answer_says_which_end_worse_with_their_intervals() -> None:
    text = answer(view(study(seeds=(0,))))
    number = r"[+\N{MINUS SIGN}][\d.]+"
    told = rf"\({number} dB, 95 % interval {number} to {number}\)"
    worse, same, once = re.split(r"; |(?<=\)\.) ", text)
    assert re.fullmatch(
        rf"On late background PSNR \(consistent-50s\), base {told} and no_e_img "
        rf"\({number} dB, {number} to {number}\) end worse than full",
        worse,
    )
    smallest = r"undecided: the smallest difference these films could have shown is [\d.]+ dB"
    assert re.fullmatch(rf"no_e_vid {told} is {smallest} \(power 80 %, 5 % over 3 comparisons\)\.", same)
    assert once == f"E{ONCE[1:]}."


def test_several_trainings_need_no_caveat() -> None:
    text = answer(study_view())
    assert "end worse than full" in text
    assert ONCE not in text


def test_a_difference_that_hangs_on_two_films_names_them() -> None:
    more = dict(zip("abcdefgh", (0.05, -0.1, 1.2, 0.0, 0.3, 1.1, 0.4, 0.35), strict=True))
    films = [
        rows(name, "background_psnr", [30 + (name == "base") * more[sample]] * 5, sample=sample)
        for name in ("full", "base")
        for sample in more
    ]
    text = answer(view(pd.concat(films), variants={"full": {}, "base": {}}))
    assert "ends better than full" in text
    assert re.search(r"The difference of base hangs on two films: without \w and \w it would be undecided\.", text)


def test_an_end_that_would_read_as_zero_has_another_digit() -> None:
    assert between(0.004, 1.26, 1) == "+0.004 to +1.3"
    assert between(-0.04, 0.0, 1) == "\N{MINUS SIGN}0.04 to +0.0"


def test_no_difference_that_films_could_have_shown_reads_as_zero() -> None:
    random = np.random.default_rng(0)
    films = [
        rows(name, "background_psnr", [30 + index + random.normal(0, 0.01)] * 5, sample=sample)
        for index, sample in enumerate("abcdefgh")
        for name in ("full", "base")
    ]
    text = answer(view(pd.concat(films), variants={"full": {}, "base": {}}))
    smallest = re.search(r"could have shown is ([\d.]+) dB", text)
    assert smallest
    assert float(smallest[1]) > 0


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


def test_without_the_baseline_no_difference_is_stated() -> None:
    assert "no variant shares a scored film with full" in answer(view(rows("base", "background_psnr", [31.0, 16.0])))


def test_only_trivial_baselines_leave_no_difference_to_state() -> None:
    only = judged_view(judged({"full": (0.97, 0.9), "copy_image": (1.0, 0.0)}), variants={"full": {}, "copy_image": {}})
    assert answer(only).endswith("only trivial baselines stand beside full: there is nothing to compare it with.")


def test_one_variant_alone_is_said_to_be_alone() -> None:
    said = answer(judged_view(judged({"full": (0.97, 0.9)}), variants={"full": {}}, trivial=()))
    assert said.endswith("only full was run: there is nothing to compare it with.")
