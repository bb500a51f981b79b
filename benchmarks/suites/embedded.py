"""The embedded suite: what can be said of a film with numpy alone, and with what is known of its world."""

from benchmarks.scorers.background import BackgroundScorer
from benchmarks.scorers.colour import PaintScorer, TintScorer
from benchmarks.scorers.course import CourseScorer, SwitchScorer
from benchmarks.scorers.drift import DriftScorer
from benchmarks.scorers.exposure import ExposureScorer
from benchmarks.scorers.fidelity import FidelityScorer
from benchmarks.scorers.forecast import ForecastScorer
from benchmarks.scorers.identity import IdentityScorer
from benchmarks.scorers.metric import Scorer
from benchmarks.scorers.placed import PlacedScorer
from benchmarks.scorers.repetition import RepetitionScorer
from benchmarks.scorers.steps import SeamScorer, StepScorer
from benchmarks.scorers.truth import TruthScorer
from benchmarks.suites import EMBEDDED, VERSIONS
from benchmarks.suites.scorers import ScorerSuite

SCORERS: tuple[Scorer, ...] = (
    PlacedScorer(),
    TruthScorer(),
    CourseScorer(),
    SwitchScorer(),
    IdentityScorer(),
    PaintScorer(),
    BackgroundScorer(),
    FidelityScorer(),
    DriftScorer(),
    TintScorer(),
    StepScorer(),
    SeamScorer(),
    ExposureScorer(),
    RepetitionScorer(),
    ForecastScorer(),
)
METRICS = {metric.name: metric for scorer in SCORERS for metric in scorer.metrics}


class EmbeddedSuite(ScorerSuite):
    """Truth, fidelity, drift and forecast."""

    def __init__(self) -> None:
        super().__init__(EMBEDDED, VERSIONS[EMBEDDED], SCORERS)
