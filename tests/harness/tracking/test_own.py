"""A store that is copied or moved keeps its runs, and nothing is written into the one it comes from."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from harness.tracking import Tracker, resolve_uri
from harness.tracking.own import settle_in
from tests.harness.small import database
from tests.harness.tracking.mirrored import check_complete, filled, info, mirror


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """With a run in its own database, and a blank in its path."""
    root = tmp_path / "the first"
    root.mkdir()
    shutil.copy(database(), root / "mlflow.db")
    assert mirror(filled(root), resolve_uri(None, root), []) == 0
    return root


def contents(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def places(root: Path) -> set[str]:
    """Every path of an artifact that the database knows, but for MLflow's experiment 0."""
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        found = connection.execute(
            "select artifact_location from experiments where experiment_id > 0 union select artifact_uri from runs "
            "union select artifact_location from logged_models"
        )
        return {place for (place,) in found}


def test_a_copied_store_is_gone_on_with_and_the_old_one_is_left_alone(store: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(store, tmp_path / "copy"))
    before = contents(store)
    tracker = Tracker(resolve_uri(None, copy), copy, "ablation_test", print)
    tracker.artifact(tracker.parent("bb", info("another")), "video", copy / "report.html", "videos")
    assert tracker.close() == 0
    assert contents(store) == before
    assert list((copy / "mlartifacts").rglob("videos/report.html"))
    assert all(place.startswith(f"{(copy / 'mlartifacts').as_uri()}/") for place in places(copy))
    assert len(places(copy)) == 6  # an experiment, a model, and four runs


def test_a_moved_store_has_all_that_it_had_and_nothing_is_sent_again(store: Path, tmp_path: Path) -> None:
    moved = store.rename(tmp_path / "moved")
    ledger = {path.name: path.read_bytes() for path in (moved / "tracking").glob("*.json")}
    assert mirror(moved, resolve_uri(None, moved), []) == 0
    assert {path.name: path.read_bytes() for path in (moved / "tracking").glob("*.json")} == ledger
    settle_in(moved)  # as `harness ui` does
    check_complete(resolve_uri(None, moved))
    assert not store.exists()


def test_a_store_under_two_paths_stays_as_it_is(store: Path, tmp_path: Path) -> None:
    before = (store / "mlflow.db").read_bytes()
    (tmp_path / "link").symlink_to(store)
    settle_in(tmp_path / "link")
    assert (store / "mlflow.db").read_bytes() == before


def test_a_copy_of_a_store_that_nobody_here_may_look_into_is_gone_on_with(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(store, tmp_path / "copy"))
    look = os.stat

    def denied(path: Any, *args: Any, **words: Any) -> os.stat_result:
        if not isinstance(path, int) and Path(path).is_relative_to(store):
            raise PermissionError(13, "Permission denied", str(path))
        return look(path, *args, **words)

    monkeypatch.setattr(os, "stat", denied)
    settle_in(copy)
    assert all(place.startswith(f"{(copy / 'mlartifacts').as_uri()}/") for place in places(copy))
