"""From a folder of scores to rows of the results frame."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.suites.embedded import METRICS
from benchmarks.suites.record import ScoredMetric, ScoreRecord
from harness.results.frame import score_rows


@pytest.mark.parametrize(
    ("track", "why", "rows"),
    [
        ("consistent-50s", "one prompt", set()),
        ("creative-50s", "one prompt", {"skipped"}),
        ("creative-50s", None, {"ok"}),
        ("mine-20s", "one prompt", {"skipped"}),
    ],
)
def test_what_a_track_cannot_have_is_not_said_to_lack(
    tmp_path: Path, track: str, why: str | None, rows: set[str]
) -> None:
    metrics = {name: METRICS[name] for name in ("motion", "switch_latency")}
    values = {name: np.ones((1, 10)) for name in metrics if why is None or name == "motion"}
    ScoreRecord(
        track=track,
        track_version=1,
        samples=("a",),
        samples_hash="5a",
        fps=8.0,
        resolution="16x16",
        n_clips=10,
        suite="embedded",
        suite_version="7",
        device="cpu",
        metrics={name: ScoredMetric(**vars(metric), weights={}, compared_with="") for name, metric in metrics.items()},
        skipped={} if why is None else {"switch_latency": why},
        values=values,
    ).write(tmp_path)
    frame = score_rows(tmp_path, experiment="mine", variant="full", track=track, seed=0)
    assert set(frame.loc[frame["metric"] == "switch_latency", "status"]) == rows
    assert set(frame.loc[frame["metric"] == "motion", "status"]) == {"ok"}
