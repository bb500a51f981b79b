"""HeliosBench's ratings of long videos (arXiv 2603.04379): four contrasts and five scores, each from 1 to 10, and a weighted sum.

Thresholds and weights as published (`eval/9_merge_all_scores.py` of PKU-YuanGroup/Helios). What is rated is the mean over
videos, cut to 0..1. Four of the nine come from what is scored here; ViCLIP, Farneback's flow and GPT-5.2 judge the others.
"""

from collections.abc import Mapping
from typing import NamedTuple

BEST = 10


class Rule(NamedTuple):
    """The n-th threshold that a score meets, from 0, rates it 10 - n; none of them 1. `weight` in the weighted sum."""

    higher: bool
    thresholds: tuple[float, ...]
    weight: float


_HUNDREDTHS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08, 0.09)
RULES: Mapping[str, Rule] = {
    "aesthetic": Rule(True, (0.70, 0.65, 0.60, 0.55, 0.50, 0.45, 0.40, 0.45, 0.40), 0.03),
    "motion_amplitude": Rule(True, (0.45, 0.40, 0.35, 0.30, 0.25, 0.20, 0.15, 0.10, 0.05), 0.03),
    "motion_smoothness": Rule(True, (0.99, 0.98, 0.97, 0.96, 0.95, 0.94, 0.93, 0.92, 0.91), 0.03),
    "semantic": Rule(True, (0.30, 0.29, 0.28, 0.27, 0.26, 0.25, 0.24, 0.23, 0.22), 0.255),
    "naturalness": Rule(True, (0.65, 0.60, 0.55, 0.50, 0.45, 0.40, 0.30, 0.25, 0.20), 0.255),
    "drifting_aesthetic": Rule(False, _HUNDREDTHS, 0.099),
    "drifting_motion_smoothness": Rule(False, _HUNDREDTHS, 0.099),
    "drifting_semantic": Rule(False, _HUNDREDTHS, 0.099),
    "drifting_naturalness": Rule(False, (0.06, 0.08, 0.10, 0.12, 0.14, 0.16, 0.18, 0.20, 0.22), 0.099),
}
OURS: Mapping[str, str] = {"aesthetic_quality": "aesthetic", "motion_smoothness": "motion_smoothness"}
"""Metric of VBench -> what HeliosBench calls it; its contrast is `drifting_` and that name."""


def monotone(name: str) -> bool:
    """Whether a better score is never met by a later threshold; of `aesthetic` it is not: no score is rated 3 or 2."""
    rule = RULES[name]
    return list(rule.thresholds) == sorted(rule.thresholds, reverse=rule.higher)


def rating(name: str, score: float) -> int:
    """10 (best) to 1, of a mean over videos."""
    rule, cut = RULES[name], min(max(score, 0.0), 1.0)
    met = (cut >= one if rule.higher else cut <= one for one in rule.thresholds)
    return next((BEST - place for place, is_met in enumerate(met) if is_met), 1)


def weighted(ratings: Mapping[str, int]) -> float:
    """The weighted sum to four decimals; what is missing adds nothing, as in the script. Of nine tens it is 9.96."""
    return round(sum(RULES[name].weight * rated for name, rated in ratings.items()), 4)
