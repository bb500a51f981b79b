"""Suites of films that follow a signal in a world that is known: the loudness of a sound, or a skeleton."""

from benchmarks.scorers.loudness import LoudnessScorer
from benchmarks.scorers.metric import Scorer
from benchmarks.scorers.pose import PoseScorer
from benchmarks.suites import LOUDNESS, POSE, VERSIONS, embedded
from benchmarks.suites.scorers import ScorerSuite

SCORERS: dict[str, Scorer] = {LOUDNESS: LoudnessScorer(), POSE: PoseScorer()}
METRICS = {metric.name: metric for scorer in SCORERS.values() for metric in scorer.metrics}
WORLD_METRICS = {**embedded.METRICS, **METRICS}  # all that ask for nothing but a film and what is known of its world


class DrivenSuite(ScorerSuite):
    """The scores of one signal, `LOUDNESS` or `POSE`."""

    def __init__(self, name: str) -> None:
        super().__init__(name, VERSIONS[name], (SCORERS[name],))
