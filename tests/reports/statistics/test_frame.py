"""What the results frame refuses, and why it says so."""

import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reports.statistics.frame import validated
from reports.tables.text import csv
from tests.reports.report_frames import VARIANTS, info, rows, skipped, study, whole


def test_rows_are_sorted_by_their_keys() -> None:
    frame = study()
    shuffled = validated(frame.sample(frac=1, random_state=3), info())
    pd.testing.assert_frame_equal(shuffled, validated(frame, info()))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"variant": "typo"}, "variant 'typo', expected one of base, full"),
        ({"track": "elsewhere"}, "track 'elsewhere', expected one of consistent-50s"),
        ({"status": "done"}, "status 'done', expected one of ok, skipped"),
        ({"view": "half"}, "view 'half', expected one of film, window, prefix"),
        ({"direction": "up"}, "direction 'up', expected one of higher, lower, none"),
        ({"value": math.inf}, "infinite value"),
    ],
)
def test_unknown_names_and_infinities_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validated(rows("full", "motion", [1.0, 2.0]).assign(**change), info())


def two(**changes: Any) -> pd.DataFrame:
    """A film of full, and one of base that differs."""
    return pd.concat([rows("full", "motion", [1.0]), rows("base", "motion", [1.0], **changes)])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": 30.0}, "base on consistent-50s was scored at fps 30, full at fps 8"),
        ({"resolution": "480x832"}, "base on consistent-50s was scored at 480x832, full at 16x16"),
        (
            {"samples": "f" * 12},
            "base on consistent-50s was scored on samples ffffffffffff, full on samples 0123456789ab",
        ),
        (
            {"suite": "vbench 0.1.5"},
            "motion of base was scored by suite 'vbench 0.1.5', that of full by suite 'native 2'",
        ),
        (
            {"track_version": 2},
            "base on consistent-50s was scored by version 2 of the track, full by version 1 of the track",
        ),
        (
            {"compared_with": "3fe1"},
            "motion of base on consistent-50s was computed against reference '3fe1', that of full against reference ''",
        ),
        ({"version": "2"}, "motion of base was scored by version '2', that of full by version '1'"),
        ({"weights": "abc"}, "motion of base was scored with weights 'abc', that of full with weights ''"),
        ({"unit": "dB"}, "motion of base was scored in unit 'dB', that of full in unit '0..1'"),
        (
            {"direction": "lower"},
            "motion of base was scored with direction 'lower', that of full with direction 'none'",
        ),
    ],
)
def test_scores_that_were_not_made_alike_are_refused_with_the_difference(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match="a table compares only scores made alike: score both") as refusal:
        validated(two(**change), info())
    assert str(refusal.value).startswith(f"results frame: {message}; ")
    assert str(refusal.value).endswith(", or compare only one of them")


def test_the_refusal_of_another_fps_says_what_to_do() -> None:
    with pytest.raises(ValueError, match=r"score both at one fps, or compare only one of them$"):
        validated(two(fps=30.0), info())


def test_of_several_variants_the_few_are_named_first_and_the_baseline_last() -> None:
    frame = pd.concat(
        [rows(name, "motion", [1.0], fps=fps) for name, fps in zip(VARIANTS, (30, 16, 25, 30), strict=True)]
    )
    with pytest.raises(
        ValueError, match=r"no_e_img on .* at fps 25, base and no_e_vid at fps 30, full at fps 16; .* score all"
    ):
        validated(frame, info())


def test_a_variant_that_differs_within_itself_is_named_with_its_seeds() -> None:
    frame = pd.concat([rows("full", "motion", [1.0], seed=seed, fps=8.0 + seed // 2) for seed in range(3)])
    with pytest.raises(ValueError, match=r"full \(seed 2\) on .* at fps 9, full \(seed 0, 1\) at fps 8"):
        validated(frame, info())


def test_tracks_may_differ_from_each_other_and_skipped_rows_from_all() -> None:
    elsewhere: dict[str, Any] = {"samples": "f" * 12, "track_version": 2, "compared_with": "77aa"}
    other = rows("base", "motion", [1.0], track="creative-50s", fps=30.0, **elsewhere)
    unlike: dict[str, Any] = {"track_version": 2, "compared_with": "77aa"}
    missing = skipped("base", "ssim", "no weights", weights="", suite="native 1", version="0", **unlike)
    scored = rows("full", "ssim", [1.0], weights="0a1b2c3d4e5f")
    frame = validated(pd.concat([rows("full", "motion", [1.0]), other, missing, scored]), info())
    assert len(frame) == 4


@pytest.mark.parametrize(("view", "clip"), [("film", 0), ("window", -1), ("prefix", -1)])
def test_a_clip_that_its_view_does_not_have_is_refused(view: str, clip: int) -> None:
    with pytest.raises(
        ValueError, match=f"motion of full has view '{view}' with clip {clip}, expected clip -1 for view 'film'"
    ):
        validated(rows("full", "motion", [1.0], view=view, clip=clip), info())


def test_one_film_has_a_number_of_the_whole_and_two_curves() -> None:
    frame = validated(whole("full", "subject_consistency", 0.9, [1.0, 0.8]), info())
    assert list(zip(frame["view"], frame["clip"], frame["value"], strict=True)) == [
        ("film", -1, 0.9), ("prefix", 0, 1.0), ("prefix", 1, 0.9), ("window", 0, 1.0), ("window", 1, 0.8),
    ]  # fmt: skip


def test_what_was_written_as_csv_and_read_again_is_the_same(tmp_path: Path) -> None:
    frame = validated(study(clips=4), info())
    (tmp_path / "results.csv").write_text(csv(frame), encoding="utf-8")
    read = validated(pd.read_csv(tmp_path / "results.csv"), info())
    pd.testing.assert_frame_equal(read, frame, rtol=1e-8)


def test_a_long_csv_is_read_without_a_warning(tmp_path: Path, recwarn: pytest.WarningsRecorder) -> None:
    """pandas reads it in blocks; a text that is empty, or a hash of digits alone, in one of them would look like a number."""
    long = [1.0] * 30_000
    parts = [
        rows("base", "motion", long, view="window", weights="", reason="", samples="123456789012", version="1"),
        rows(
            "full",
            "ssim",
            long,
            view="window",
            weights="0a1b2c3d4e5f",
            reason="of 3",
            samples="123456789012",
            version="0.1.5",
        ),
    ]
    (tmp_path / "results.csv").write_text(csv(validated(pd.concat(parts), info())), encoding="utf-8")
    read = pd.read_csv(tmp_path / "results.csv")
    assert [str(one.message) for one in recwarn] == []
    assert read.iloc[0][["samples", "weights", "version", "reason"]].tolist() == [
        "sha256:123456789012",
        "-",
        "version 1",
        "-",
    ]


def test_missing_columns_repeated_keys_and_empty_frames_are_refused() -> None:
    frame = rows("full", "motion", [1.0])
    with pytest.raises(ValueError, match="columns reason are missing"):
        validated(frame.drop(columns="reason"), info())
    with pytest.raises(ValueError, match="columns track_version, compared_with are missing"):
        validated(frame.drop(columns=["track_version", "compared_with"]), info())
    with pytest.raises(ValueError, match="twice"):
        validated(pd.concat([frame, frame]), info())
    with pytest.raises(ValueError, match="no rows"):
        validated(frame[:0], info())


def test_a_baseline_must_be_a_variant() -> None:
    with pytest.raises(ValueError, match="baseline: received 'fll', expected one of the variants: base, full"):
        info(baseline="fll")


def test_trivial_baselines_must_be_variants_beside_the_baseline() -> None:
    assert info(trivial=("base",)).rows == ("full", "no_e_img", "no_e_vid", "base")
    for name in ("copy_image", "full"):
        with pytest.raises(
            ValueError, match=f"trivial: received '{name}', expected variants beside the baseline: base, no"
        ):
            info(trivial=(name,))
