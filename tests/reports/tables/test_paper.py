"""The paper's tables with our rows: published, measured and skipped ones, drift below, nothing taken for another's."""

import csv
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from reports.tables.paper import nothing, paper_table
from reports.tables.paper_rows import answers_to, parts
from tests.reports.report_frames import VBENCH, judged, rows, skipped, whole

ABOUT = {"ablation_eimg": "toy world of 16 x 16 pixels", "scored": "videos made elsewhere"}
ABLATION = {"base": (0.8, 0.4), "full": (0.97, 0.9), "no_e_img": (0.85, 0.5), "lora_only": (0.82, 0.4)}


def scored(**changes: Any) -> pd.DataFrame:
    """FramePack's videos on one track, of one seed."""
    return judged({"FramePack": (0.9, 0.4)}, seeds=(0,)).assign(experiment="scored", **changes)


def lines(text: str, title: str) -> list[list[str]]:
    """The cells of the lines of the table with that title."""
    _, found, rest = text.partition(f"**{title}**\n\n")
    assert found, f"no table {title!r}"
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in rest.partition("\n\n")[0].splitlines()]


def records(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_published_rows_are_in_the_paper_s_order_and_ours_behind_the_method_they_answer_to() -> None:
    table = lines(paper_table("svi-4", judged(ABLATION), ABOUT, "md"), f"{ABLATION_TITLE}; ours on consistent-50s")
    assert [row[:2] for row in table[2:]] == [
        ["Wan 2.1", "published"], ["base", "measured"],
        ["without E_img", "published"], ["no_e_img", "measured"],
        ["without E_noi", "published"], ["without E_vid", "published"],
        ["full", "published"], ["full", "measured"],
        ["lora_only", "measured"],
    ]  # fmt: skip
    assert {row[2] for row in table[2:]} == {"arXiv 2510.09212", "ablation_eimg: toy world of 16 x 16 pixels"}
    assert table[4][3] == "73.82"


ABLATION_TITLE = "arXiv 2510.09212 Table 4 (ablation, 1 epoch): ablation"


def test_raw_scores_stand_beside_percent_as_percent() -> None:
    films = [
        whole("full", "imaging_quality", value, [value] * 4, sample=name) for name, value in (("a", 0.7), ("b", 0.72))
    ]
    found = [row for row in records(paper_table("svi-1", pd.concat(films), ABOUT, "csv")) if row["row"] == "measured"]
    value = next(row for row in found if row["statistic"] == "value")
    assert (float(value["value"]), float(value["se"]), value["unit"]) == (
        pytest.approx(71),
        pytest.approx(1),
        "percent",
    )
    assert (value["n"], value["over"], value["suite"], value["fps"]) == ("2", "samples", "native 2", "8")


def test_the_slope_goes_by_the_seconds_of_the_track() -> None:
    # 10 clips of a film of 50 s are 5 s each: a point a clip is 12 a minute.
    curve = list(np.linspace(1.0, 0.91, 10))
    films = [whole("full", "imaging_quality", 0.9, curve, sample=name) for name in "ab"]
    found = {row["statistic"]: row for row in records(paper_table("svi-1", pd.concat(films), ABOUT, "csv")) if row["n"]}
    assert float(found["slope"]["value"]) == pytest.approx(-12.0)
    assert found["slope"]["unit"] == "percent per minute"
    relative = sum((10 - clip) * (1 - value) for clip, value in enumerate(curve))
    assert float(found["vde"]["value"]) == pytest.approx(relative)  # relative to clip 1, which is 1: no percent


@pytest.mark.parametrize("name", [f"svi-{number}" for number in range(1, 9)])
@pytest.mark.parametrize("form", ["md", "csv", "latex"])
def test_every_table_has_every_form_also_with_nothing_measured(name: str, form: Any) -> None:
    text = paper_table(name, nothing(), {}, form)
    assert "arXiv 2510.09212" in text or "published" in text
    assert "measured," not in text


@pytest.mark.parametrize("name", ["svi-1", "svi-4"])
def test_no_number_of_a_whole_film_is_without_its_drift(name: str) -> None:
    text = paper_table(name, pd.concat([judged(ABLATION), scored()]), ABOUT, "md")
    tables = [part for part in text.split("\n\n") if part.startswith("**")]
    for index, title in enumerate(tables):
        if "ours on" in title and not title.endswith("drift**"):
            assert tables[index + 1] == f"{title.removesuffix('**')}, drift**"
            main, drift = (lines(text, each.strip("*")) for each in tables[index : index + 2])
            measured = [row[0] for row in main[2:] if row[1] == "measured"]
            assert [row[0] for row in drift[2:] if row[0]] == main[0][3:]
            assert sorted(row[1] for row in drift[2:]) == sorted(measured * len(main[0][3:]))
            assert drift[0][-3:] == ["contrast", "VDE", "slope per minute (95 % interval)"]


def test_what_is_not_measured_is_a_row_that_says_why() -> None:
    text = paper_table("svi-1", pd.concat([judged(ABLATION), scored()]), ABOUT, "md")
    table = lines(text, "arXiv 2510.09212 Table 1: creative 50 s")
    assert [row[:2] for row in table[-2:]] == [
        ["base, full, no_e_img, lora_only", "skipped: not scored on this track"],
        ["FramePack", "skipped: not scored on this track"],
    ]
    assert "Nothing of ours is measured here." in text


def test_a_skipped_metric_says_why_in_its_row_s_table() -> None:
    reason = "the file raft-things.pth is missing"
    frame = judged({"full": (0.97, 0.9)})
    frame = pd.concat([frame[frame["metric"] != "dynamic_degree"], skipped("full", "dynamic_degree", reason)])
    text = paper_table("svi-1", frame, ABOUT, "md")
    row = next(
        row
        for row in lines(text, "arXiv 2510.09212 Table 1: consistent 50 s; ours on consistent-50s")
        if row[0] == "full"
    )
    assert row[1] == "measured"
    assert "skipped" in row[3:]
    assert f"- Skipped: dynamic degree of full: {reason}." in text
    assert any(
        r["reason"] == reason and r["row"] == "skipped" for r in records(paper_table("svi-1", frame, ABOUT, "csv"))
    )


def test_a_track_that_was_scored_in_other_metrics_only_says_so() -> None:
    frame = pd.concat(
        [rows("full", "background_psnr", [30.0, 31.0]), *(skipped("base", metric, "no file") for metric in VBENCH)]
    )
    table = lines(paper_table("svi-1", frame, ABOUT, "md"), "arXiv 2510.09212 Table 1: consistent 50 s")
    assert ["full", "skipped: no metric of this table"] in [row[:2] for row in table]
    assert ["base", "skipped: see below"] in [row[:2] for row in table]


def test_dynamic_degree_stands_beside_the_consistencies_of_an_ablation() -> None:
    text = paper_table("svi-4", judged(ABLATION), ABOUT, "md")
    table = lines(text, f"{ABLATION_TITLE}; ours on consistent-50s")
    assert table[0][-1] == "dynamic degree ↑"
    assert [row[-1] for row in table[2:4]] == ["–", "50.0 ± 0.0"]
    assert "Dynamic degree is not in the paper's table" in text


def test_only_experiments_that_change_what_the_table_changes_stand_in_an_ablation() -> None:
    other = judged({"full": (0.9, 0.3), "small_bank": (0.9, 0.3)}).assign(experiment="bank", fps=30.0)
    text = paper_table("svi-4", pd.concat([judged(ABLATION), other, scored(fps=25.0)]), ABOUT | {"bank": "toy"}, "md")
    assert "small_bank" not in text
    assert "FramePack" not in text
    assert "bank: toy" not in text


def test_an_ablation_stands_beside_each_track_of_ours() -> None:
    both = [judged(ABLATION), judged(ABLATION).assign(track="creative-50s", samples="ba9876543210")]
    assert [part.track for part in parts("svi-4", pd.concat(both))] == ["consistent-50s", "creative-50s"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"fps": 30.0},
            "FramePack on consistent-50s was scored at fps 30, base, full, lora_only and no_e_img at fps 8",
        ),
        ({"resolution": "480x832"}, "FramePack on consistent-50s was scored at 480x832"),
        ({"samples": "f" * 12}, "FramePack on consistent-50s was scored on samples ffffffffffff"),
        ({"track_version": 2}, "FramePack on consistent-50s was scored by version 2 of the track, base, full"),
        (
            {"compared_with": "3fe1"},
            "aesthetic_quality of FramePack on consistent-50s was computed against reference '3fe1'",
        ),
        ({"suite": "vbench 0.1.5"}, "aesthetic_quality of FramePack was scored by suite 'vbench 0.1.5', that of base"),
        ({"weights": "abc"}, "aesthetic_quality of FramePack was scored with weights 'abc', that of base"),
    ],
)
def test_rows_of_ours_that_were_not_made_alike_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="a table compares only scores made alike: score all") as refusal:
        paper_table("svi-1", pd.concat([judged(ABLATION), scored(**change)]), ABOUT, "md")
    assert str(refusal.value).startswith(f"results frame: {message}")


def test_what_another_table_shows_may_differ() -> None:
    talk = scored(track="talk-300s", fps=25.0, resolution="640x640", samples="f" * 12)
    assert "FramePack" in paper_table("svi-1", pd.concat([judged(ABLATION), talk]), ABOUT, "md")


def test_variants_of_one_name_are_told_apart_by_their_experiment() -> None:
    again = judged({"full": (0.9, 0.4)}).assign(experiment="again", fps=30.0)
    with pytest.raises(
        ValueError, match="full of ablation_eimg on consistent-50s was scored at fps 8, full of again at fps 30"
    ):
        paper_table("svi-1", pd.concat([judged({"full": (0.97, 0.9)}), again]), ABOUT | {"again": "toy"}, "md")


def test_trivial_baselines_answer_to_the_paper_s_and_stand_last_elsewhere() -> None:
    frame = judged({"copy_image": (1.0, 0.0), "copy_clips": (0.99, 0.3), "full": (0.97, 0.9)})
    text = paper_table("svi-1", frame, ABOUT, "md")
    table = lines(text, "arXiv 2510.09212 Table 1: consistent 50 s; ours on consistent-50s")
    assert [row[0] for row in table[-3:]] == ["full", "copy_image", "copy_clips"]
    assert "Trivial baselines (copy_image, copy_clips): they win on consistency alone by standing still" in text
    long = paper_table("svi-5", frame.assign(track="consistent-250s"), ABOUT, "md")
    table = lines(long, "arXiv 2510.09212 Table 5 (trivial baselines): consistent 250 s; ours on consistent-250s")
    assert [row[0] for row in table[2:]] == [
        "Copy Clips",
        "copy_clips",
        "Ping-Pong",
        "Copy Image",
        "copy_image",
        "full",
    ]


def test_metrics_of_sets_and_of_clips_have_their_place_in_the_dance_table() -> None:
    curve = [rows("full", "ssim", [0.8, 0.6], track="dance-50s", sample=name) for name in "ab"]
    distance = [rows("full", "fvd", [300.0 + 20 * seed], track="dance-50s", sample="all", seed=seed) for seed in (0, 1)]
    text = paper_table("svi-3", pd.concat([*curve, *distance]), ABOUT, "md")
    row = next(
        row
        for row in lines(text, "arXiv 2510.09212 Table 3: conditional-dance 50 s; ours on dance-50s")
        if row[0] == "full"
    )
    assert row[3:] == ["skipped", "0.700 ± 0.000", "310.0 ± 10.0"]
    assert "SSIM of ours: mean over a film's clips." in text
    assert "FVD of ours: no curve over clips, so how it drifts is not known." in text
    single = paper_table("svi-3", distance[0], ABOUT, "md")
    assert "n = 1 seed." in single
    assert "300.0 |" in single
    assert "drift**" not in single


def test_the_reference_that_a_distance_was_computed_against_is_said() -> None:
    distance = rows("full", "fvd", [300.0], track="dance-50s", sample="all", compared_with="3fe1a2b3c4d5")
    assert "by native 2, against reference 3fe1a2b3c4d5 (FVD)." in paper_table("svi-3", distance, ABOUT, "md")
    found = [row for row in records(paper_table("svi-3", distance, ABOUT, "csv")) if row["row"] == "measured"]
    assert [(row["track_version"], row["compared_with"]) for row in found] == [("1", "3fe1a2b3c4d5")]


def test_films_of_other_numbers_of_clips_have_slopes_by_their_own_and_a_note() -> None:
    films = [
        whole(name, "imaging_quality", 0.9, list(np.linspace(1.0, 0.91, clips)), sample=sample)
        for name, clips in (("full", 10), ("FramePack", 100))
        for sample in "ab"
    ]
    text = paper_table("svi-1", pd.concat(films), ABOUT, "md")
    assert "Clips differ in length: full 10 of 5 s, FramePack 100 of 0.5 s; clip 1" in text
    found = [row for row in records(paper_table("svi-1", pd.concat(films), ABOUT, "csv")) if row["n"]]
    slopes = {row["method"]: float(row["value"]) for row in found if row["statistic"] == "slope"}
    assert slopes == {"full": pytest.approx(-9 / 45 * 60), "FramePack": pytest.approx(-9 / 49.5 * 60)}
    assert "Clips differ" not in paper_table("svi-1", pd.concat(films[:2]), ABOUT, "md")


def test_the_consistencies_say_how_they_are_averaged_over_videos() -> None:
    said = "Subject consistency, background consistency over videos: mean; VBench's own overall weights these two by frames"
    assert said in paper_table("svi-1", judged(ABLATION), ABOUT, "md")
    assert said not in paper_table("svi-1", nothing(), {}, "md")


def test_what_a_reader_must_know_of_a_score_stands_below() -> None:
    distance = rows("full", "fvd", [300.0], track="dance-50s", sample="all", reason="of 16 videos, biased upwards")
    assert "- FVD: of 16 videos, biased upwards." in paper_table("svi-3", distance, ABOUT, "md")


def test_a_film_that_could_not_be_scored_is_left_out_of_the_mean_and_named() -> None:
    films = [whole("full", "imaging_quality", 0.7, [0.7] * 4, sample=name) for name in "ab"]
    text = paper_table(
        "svi-1", pd.concat([*films, skipped("full", "imaging_quality", "no face", sample="c")]), ABOUT, "md"
    )
    assert "70.0 ± 0.0" in text
    assert "n = 2 samples" in text
    assert "Skipped in part: imaging quality of full: no face." in text


def test_scores_of_the_official_package_stand_in_where_there_are_no_others() -> None:
    official = judged({"full": (0.97, 0.9)}).assign(suite="vbench 0.1.5", experiment="scored")
    official = official[official["view"] == "film"].assign(metric=lambda frame: frame["metric"] + ".official")
    text = paper_table("svi-1", official, ABOUT, "md")
    assert "by vbench 0.1.5" in text
    assert "no curve over clips, so how they drift is not known" in text
    both = paper_table("svi-1", pd.concat([judged({"full": (0.97, 0.9)}), official]), ABOUT, "md")
    assert "vbench 0.1.5" not in both


def test_published_rows_say_what_is_not_known_of_them() -> None:
    text = paper_table("svi-1", judged(ABLATION), ABOUT, "md")
    assert "which suite, frame rate and resolution they were scored with is not stated" in text
    assert (
        "Measured at fps 8, 16x16, samples 0123456789ab, by native 2, weights 0a1b2c3d4e5f (subject consistency" in text
    )


def test_hostile_names_stay_text() -> None:
    name, experiment = "../<b>|$x_1$&[a](b)*", "**e**\n\\input{x}"
    frame = judged({name: (0.9, 0.4)}).assign(experiment=experiment)
    about = {experiment: "<script>alert(1)</script> _a_ ~~b~~"}
    text = paper_table("svi-1", frame, about, "md")
    assert r"../\<b>\|\$x_1\$\&\[a](b)\*" in text
    assert r"\*\*e\*\* \\input{x}: \<script>alert(1)\</script> \_a\_ \~~b\~~" in text
    assert "\n| ../" in text
    tex = paper_table("svi-1", frame, about, "latex")
    assert r"../\textless{}b\textgreater{}\textbar{}\$x\_1\$\&{[}a{]}(b){*}" in tex
    assert r"\textbackslash{}input\{x\}" in tex
    found = [row for row in records(paper_table("svi-1", frame, about, "csv")) if row["row"] == "measured"]
    assert {row["method"] for row in found} == {name}
    assert {row["experiment"] for row in found} == {experiment}


def test_an_experiment_without_a_line_an_unknown_form_or_table_is_refused() -> None:
    with pytest.raises(
        ValueError, match="about: received no line for experiment 'scored', expected what its backbone is"
    ):
        paper_table("svi-1", scored(), {"ablation_eimg": "toy"}, "md")
    with pytest.raises(ValueError, match="form: received 'html', expected one of md, csv, latex"):
        paper_table("svi-1", scored(), ABOUT, "html")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="received 'svi-9', expected one of svi-1, svi-2"):
        paper_table("svi-9", scored(), ABOUT, "md")


@pytest.mark.parametrize(
    ("variant", "method", "ablation", "expected"),
    [
        ("no_e_img", "without E_img", True, True),
        ("base", "Wan 2.1", True, True),
        ("base", "Wan 2.1", False, False),
        ("ping_pong", "Ping-Pong", False, True),
        ("alpha_0.2", "alpha=0.2", True, True),
        ("z_10", "Z=1", True, False),
        ("FramePack", "FramePack", False, True),
    ],
)
def test_variants_answer_to_methods_by_name(variant: str, method: str, ablation: bool, expected: bool) -> None:
    assert answers_to(variant, method, ablation) is expected
