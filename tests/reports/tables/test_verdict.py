"""The answer in words: yes or no as the differences show it, without numbers."""

from typing import Any

import pandas as pd

from reports.statistics.view import ReportView
from reports.tables.verdict import TOO_FEW, verdict
from tests.reports.report_frames import TRACKS, info, rows

ENDS = {"full": 30.0, "no_e_img": 20.0, "no_e_vid": 30.0}


def ended(samples: str = "abcdefgh", **asked: Any) -> ReportView:
    """Films that end as `ENDS` says, a little off each."""
    films = [
        rows(name, "background_psnr", [31.0, end + 0.1 * ((index * len(name)) % 3)], sample=sample)
        for name, end in ENDS.items()
        for index, sample in enumerate(samples)
    ]
    about = {"variants": {name: {} for name in ENDS}, "tracks": [TRACKS[0]], "seeds": [0]}
    return ReportView.of(pd.concat(films), info(**about | asked))


def test_yes_where_the_asked_variant_ends_as_it_must() -> None:
    found = verdict(ended(yes_if=("no_e_img", "worse")))
    assert found.head == "Yes, by one training each."
    (says,) = found.says
    assert "no_e_img ends worse than full" in says
    assert not any(sign.isdigit() for sign in says)
    assert verdict(ended(yes_if=("no_e_img", "different"))).head.startswith("Yes")


def test_no_where_it_ends_otherwise_or_shows_no_difference() -> None:
    assert verdict(ended(yes_if=("no_e_img", "better"))).head == "No, by one training each."
    assert verdict(ended(yes_if=("no_e_img", "better"), untrained=tuple(ENDS))).head == "No."
    assert verdict(ended(yes_if=("no_e_vid", "worse"))).head == "Undecided."


def test_a_question_of_more_than_yes_or_no_has_no_head() -> None:
    assert verdict(ended()).head == ""
    assert verdict(ended()).says


def test_few_films_answer_nothing() -> None:
    found = verdict(ended("ab", yes_if=("no_e_img", "worse")))
    assert found == (TOO_FEW, ("2 samples cannot tell the variants apart; 6 are the fewest that can.",))


def test_a_variant_that_was_not_run_answers_nothing() -> None:
    assert verdict(ended(yes_if=("hand_crafted", "worse"))).head == "Not answered: its variant was not run."
