"""What the results frame refuses, and why it says so."""

import math
from typing import Any

import pandas as pd
import pytest

from reports.frame import validated
from tests.reports.report_frames import info, rows, study


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
        ({"direction": "up"}, "direction 'up', expected one of higher, lower, none"),
        ({"value": math.inf}, "infinite value"),
    ],
)
def test_unknown_names_and_infinities_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validated(rows("full", "motion", [1.0, 2.0]).assign(**change), info())


def test_scores_of_two_versions_are_not_averaged() -> None:
    frame = pd.concat([rows("full", "motion", [1.0]), rows("base", "motion", [1.0], version="2")])
    with pytest.raises(ValueError, match="'motion' has version '1' and '2'"):
        validated(frame, info())


def test_missing_columns_repeated_keys_and_empty_frames_are_refused() -> None:
    frame = rows("full", "motion", [1.0])
    with pytest.raises(ValueError, match="columns reason are missing"):
        validated(frame.drop(columns="reason"), info())
    with pytest.raises(ValueError, match="twice"):
        validated(pd.concat([frame, frame]), info())
    with pytest.raises(ValueError, match="no rows"):
        validated(frame[:0], info())


def test_a_baseline_must_be_a_variant() -> None:
    with pytest.raises(ValueError, match="baseline: received 'fll', expected one of the variants: base, full"):
        info(baseline="fll")
