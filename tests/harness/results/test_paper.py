"""The paper's tables with a store's reports beside them: what their films were made with, and reports that cannot be read."""

import json
import re
from pathlib import Path

import pytest

from benchmarks.suites.record import SCORE_INFO
from harness.core.store import Store
from harness.results.paper import paper_table
from tests.harness.results.test_comparison import declare, experiment


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store(tmp_path / "runs")
    experiment(opened, "mine", {"full": ("full", 29.0)})
    return opened


def test_the_backbone_is_the_one_that_the_films_were_made_with(store: Store) -> None:
    assert "mine: tiny Wan" in paper_table(store, "svi-1", "md", None)
    for path in store.root.glob("artifacts/generate/*/manifest.json"):
        about = json.loads(path.read_text())
        about["identity"]["backbone.name"] = "mybackbone.py:Mine"
        path.write_text(json.dumps(about))
    assert "mine: mybackbone.py:Mine" in paper_table(store, "svi-1", "md", None)


@pytest.mark.parametrize("damage", ["profile", "scores"])
def test_a_report_that_cannot_be_read_is_left_out_and_the_others_stand(
    damage: str, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(store.root.glob(f"artifacts/*/*/{SCORE_INFO}"))
    experiment(store, "theirs", {"full": ("theirs", 28.0)})
    if damage == "profile":
        declare(store, "theirs", profile="gone")
    else:
        (made,) = set(store.root.glob(f"artifacts/*/*/{SCORE_INFO}")) - before
        made.write_text("{}")
    table = paper_table(store, "svi-1", "md", None)
    reason = {"profile": "unknown profile 'gone'", "scores": "received"}[damage]
    assert re.search(f"left out: theirs: .*{reason}", capsys.readouterr().err)
    assert "mine: tiny Wan" in table
    assert "theirs" not in table
