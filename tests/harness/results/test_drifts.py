"""From the values of frames in folders of scores to a frame of drift by each published definition."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.arrays import Floats
from benchmarks.artifacts import FRAME_SCORES
from benchmarks.suites.record import ScoredMetric, ScoreRecord
from harness.results.drifts import drifts_of

KEYS = ("FramePack", "consistent-50s", 0)


def folder(root: Path, frames: dict[str, Floats], fps: float = 16.0) -> Path:
    """A folder of scores that keeps these values of its films' frames [S, F]."""
    root.mkdir()
    films = len(next(iter(frames.values())))
    np.savez(root / FRAME_SCORES, **frames)  # type: ignore[arg-type]
    about = ScoredMetric("aesthetic_quality", "higher", "1", "0..1", "both", (), "A number.", {}, "")
    ScoreRecord(
        track=KEYS[1],
        track_version=1,
        samples=tuple("abc"[:films]),
        samples_hash="5a",
        fps=fps,
        resolution="32x32",
        n_clips=10,
        suite="vbench native",
        suite_version="1",
        device="cpu",
        metrics={"aesthetic_quality": about},
        values={},
    ).write(root)
    return root


def test_each_film_has_each_definition_by_its_own_length(tmp_path: Path) -> None:
    ratings = np.full((3, 1_650), np.nan)
    ratings[0, :800] = np.linspace(0.7, 0.5, 800)
    ratings[1] = 0.6
    frame = drifts_of([(KEYS, folder(tmp_path / "scores", {"aesthetic_quality": ratings}))])
    found = (
        frame[frame["metric"] == "aesthetic_quality"].set_index(["sample", "definition", "at"])["value"].sort_index()
    )
    assert found["a", "rolling5s", 0] == pytest.approx(0.2 * 720 / 799)  # two parts of 80 frames, 720 apart
    assert found["a", "framepack15", 0] == pytest.approx(0.2 * 680 / 799)
    assert found["b", "vde", 0] == pytest.approx(0, abs=1e-12)
    assert sorted(found["a", "segments"].index) == [0, 10, 20, 30, 40]
    assert sorted(found["b", "svi_length"].index) == [800, 1600]
    assert sorted(found["a", "svi_length"].index) == [800]
    assert "c" not in set(frame["sample"])  # it has no value
    assert list(frame.columns) == ["variant", "track", "seed", "sample", "metric", "definition", "at", "value"]


def test_heliosbench_rates_the_mean_over_films(tmp_path: Path) -> None:
    ratings = np.stack([np.r_[np.full(50, 0.50), np.full(50, 0.536)], np.full(100, 0.62)])
    foretold = np.full((2, 100), np.nan)
    foretold[:, 1::2] = 0.985
    kept = {"aesthetic_quality": ratings, "motion_smoothness": foretold, "dynamic_degree": np.ones((2, 100))}
    frame = drifts_of([(KEYS, folder(tmp_path / "scores", kept))])
    rated = frame[frame["definition"] == "helios4 rating"].set_index("metric")["value"].to_dict()
    # .569 and .018 on average: 7 and 9; .985 and 0: 9 and 10.
    expected = {"aesthetic": 7, "drifting_aesthetic": 9, "motion_smoothness": 9, "drifting_motion_smoothness": 10}
    assert rated == {**expected, "weighted": pytest.approx(0.03 * (7 + 9) + 0.099 * (9 + 10))}
    assert "dynamic_degree" not in set(frame["metric"])


def test_scores_without_kept_frames_have_no_drift(tmp_path: Path) -> None:
    scores = folder(tmp_path / "scores", {"aesthetic_quality": np.full((1, 40), np.nan)})
    assert drifts_of([(KEYS, scores)]).empty
    (scores / FRAME_SCORES).unlink()
    assert drifts_of([(KEYS, scores)]).empty
