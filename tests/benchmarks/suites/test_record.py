"""A folder of scores, as it is written once and read everywhere."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from benchmarks.scorers.metric import Metric
from benchmarks.suites.record import ScoredMetric, ScoreRecord

NAN = float("nan")


def metric(name: str, per: str) -> ScoredMetric:
    return ScoredMetric(name, "higher", "1", "dB", per, ("continuation",), "A number.", {"a.pth": "0123"}, "4567")  # type: ignore[arg-type]


@pytest.fixture
def record() -> ScoreRecord:
    return ScoreRecord(
        track="consistent-50s",
        track_version=1,
        samples=("a", "b"),
        samples_hash="5a",
        fps=8.0,
        resolution="16x16",
        n_clips=3,
        suite="embedded",
        suite_version="2",
        device="cpu",
        metrics={
            "curve": metric("curve", "clip"),
            "whole": metric("whole", "both"),
            "fvd": metric("fvd", "set"),
            "gone": metric("gone", "film"),
        },
        skipped={"gone": "no weights"},
        skipped_films={"whole": {"b": "no face"}},
        values={
            "curve": np.arange(6.0).reshape(2, 3),
            "whole": np.array([1.0, NAN]),
            "whole@window": np.ones((2, 3)),
            "whole@prefix": np.zeros((2, 3)),
            "fvd": np.array([9.0]),
        },
    )


def test_it_is_written_as_it_always_was(record: ScoreRecord, tmp_path: Path) -> None:
    record.write(tmp_path)
    text = (tmp_path / "scores.json").read_text()
    about = json.loads(text)
    assert text == json.dumps(about, indent=2) + "\n"
    assert list(about) == [
        "track", "track_version", "samples", "samples_hash", "fps", "resolution", "n_clips", "suite", "suite_version", "device",
        "metrics", "skipped", "skipped_films", "notes", "warnings", "details",
    ]  # fmt: skip
    assert list(about["metrics"]["curve"].items()) == [
        ("direction", "higher"), ("version", "1"), ("unit", "dB"), ("per", "clip"), ("needs", ["continuation"]),
        ("about", "A number."), ("weights", {"a.pth": "0123"}), ("compared_with", "4567"),
    ]  # fmt: skip
    with np.load(tmp_path / "scores.npz") as values:
        assert set(values) == set(record.values)


def test_what_is_written_is_read_again(record: ScoreRecord, tmp_path: Path) -> None:
    record.write(tmp_path)
    again = ScoreRecord.read(tmp_path)
    for one in fields(record):
        if one.name != "values":
            assert getattr(again, one.name) == getattr(record, one.name), one.name
    assert isinstance(again.metrics["curve"], Metric)
    for name, values in record.values.items():
        np.testing.assert_array_equal(again.values[name], values)


def test_a_metric_is_seen_by_films_by_windows_and_up_to_a_clips_end(record: ScoreRecord) -> None:
    assert list(record.views("curve")) == ["window"]
    assert list(record.views("whole")) == ["film", "window", "prefix"]
    assert (record.views("whole")["prefix"] == 0).all()
    assert list(record.views("fvd")) == ["film"]
    assert record.views("gone") == {}
    assert (record.rows("whole"), record.rows("fvd")) == (("a", "b"), ("all",))


def test_what_has_no_score_is_named_with_the_reason(record: ScoreRecord) -> None:
    assert record.unscored("curve") == {}
    assert record.unscored("whole") == {"b": "no face"}
    assert record.unscored("gone") == {"a": "no weights", "b": "no weights"}


def test_a_folder_without_scores_is_refused(record: ScoreRecord, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"received no scores.json, scores.npz, expected a folder of scores; score the films"
    ):
        ScoreRecord.read(tmp_path)
    record.write(tmp_path)
    about = json.loads((tmp_path / "scores.json").read_text())
    (tmp_path / "scores.json").write_text(
        json.dumps({key: about[key] for key in about if key not in ("fps", "metrics")})
    )
    with pytest.raises(ValueError, match=r"scores.json: received no fps, metrics, expected .*; score again"):
        ScoreRecord.read(tmp_path)
