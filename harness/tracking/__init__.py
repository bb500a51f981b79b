"""Everything this project says to MLflow; the rest of the harness talks to `Tracker` only."""

from harness.tracking.inputs import Dataset, ExperimentPage, view_key
from harness.tracking.server import resolve_uri
from harness.tracking.tracker import RunInfo, Tracker
from harness.tracking.trained import TrainedModel

__all__ = ["Dataset", "ExperimentPage", "RunInfo", "Tracker", "TrainedModel", "resolve_uri", "view_key"]
