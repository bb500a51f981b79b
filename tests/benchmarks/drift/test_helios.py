"""HeliosBench's ratings beside the script's own steps, written out here."""

import pytest

from benchmarks.drift.helios import OURS, RULES, monotone, rating, weighted


@pytest.mark.parametrize("name", list(RULES))
def test_a_rating_is_ten_less_the_first_threshold_that_is_met(name: str) -> None:
    rule = RULES[name]
    for score in (hundredths / 100 for hundredths in range(-5, 106)):
        cut, place = max(0.0, min(1.0, score)), 0
        while place < 9 and (cut < rule.thresholds[place] if rule.higher else cut > rule.thresholds[place]):
            place += 1
        assert rating(name, score) == (10 - place if place < 9 else 1)


def test_the_published_thresholds_of_aesthetic_are_not_monotone_and_rate_nothing_3_or_2() -> None:
    assert [name for name in RULES if not monotone(name)] == ["aesthetic"]
    reached = {rating("aesthetic", score / 1000) for score in range(1001)}
    assert reached == {10, 9, 8, 7, 6, 5, 4, 1}
    assert (rating("aesthetic", 0.4), rating("aesthetic", 0.399)) == (4, 1)
    for name in set(RULES) - {"aesthetic"}:
        assert {rating(name, score / 1000) for score in range(1001)} == set(range(1, 11))


def test_the_weighted_sum_of_nine_tens_is_not_ten() -> None:
    assert weighted(dict.fromkeys(RULES, 10)) == 9.96
    assert weighted({"aesthetic": 7, "drifting_aesthetic": 10}) == round(7 * 0.03 + 10 * 0.099, 4)
    assert weighted({}) == 0


def test_what_is_scored_here_has_a_rating_of_its_score_and_of_its_contrast() -> None:
    assert {name for ours in OURS.values() for name in (ours, f"drifting_{ours}")} <= set(RULES)
