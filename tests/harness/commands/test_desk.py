"""`harness desk`, up to the moment at which it serves its page."""

from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI

from harness.core.store import Store
from harness.core.use import alone
from tests.harness.finished import copied
from tests.harness.small import SMALL, harness


def test_nothing_of_the_store_is_removed_while_a_desk_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, served = Store(copied(tmp_path / "runs")), list[FastAPI]()

    def look(app: FastAPI, **_: object) -> None:
        served.append(app)
        refused = harness("gc", "--delete", store=store.root)
        assert refused.returncode == 2
        assert "a command is working in" in refused.stderr

    monkeypatch.setattr(uvicorn, "run", look)
    done = harness("desk", *SMALL, store=store.root)
    assert (done.returncode, len(served)) == (0, 1), done.stderr
    assert done.stdout.startswith("desk: http://127.0.0.1:")
    assert "/?token=" in done.stdout
    with alone(store.locks):
        pass
