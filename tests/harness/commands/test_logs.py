"""What stages printed, by name."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from harness.commands.logs import logs
from harness.core.errors import UseError
from harness.core.job import StageError
from harness.core.store import Store
from harness.run.worker import run_job
from tests.harness.run.stage_functions import node

DONE, FAILED = node("full, seed 0", "noisy"), node("full, seed 1", "broken")
PRINTED = "from a child\n"  # pytest keeps what Python prints in its own process


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """With a stage that is done, and one that failed."""
    store = Store(tmp_path / "runs")
    run_job(str(store.root), DONE.fields(), {})
    with pytest.raises(StageError):
        run_job(str(store.root), FAILED.fields(), {})
    return store


def said(store: Store, *words: str) -> str:
    done = CliRunner().invoke(logs, [*words, "--store", str(store.root)], catch_exceptions=False)
    assert done.exit_code == 0
    return done.output


@pytest.mark.parametrize("name", [DONE.signature, DONE.signature[:8], f"make-{DONE.signature[:16]}", "full, seed 0"])
def test_a_finished_stage_by_any_name(name: str, store: Store) -> None:
    assert said(store, name) == PRINTED


def test_of_a_failed_stage_the_error_too(store: Store) -> None:
    assert "RuntimeError: oops" in said(store, "make full, seed 1")


def test_all_of_them(store: Store) -> None:
    rows = said(store).splitlines()
    assert (rows[1].split()[-1], rows[2].split()[-1]) == ("done", "failed")


def test_follow_ends_with_its_stage(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is printed while a process holds the stage is shown; the log grows whenever the command waits."""
    under_way, to_come = node("full, seed 2"), ["second\n", "last\n"]
    log, lock = store.begin("make", under_way.signature) / "log.txt", store.lock("make", under_way.signature)
    log.write_text("first\n")

    def wait(_: float) -> None:
        with log.open("a") as file:
            file.write(to_come.pop(0))
        if not to_come:
            lock.release()

    monkeypatch.setattr("harness.commands.logs.time", SimpleNamespace(sleep=wait))
    lock.acquire()
    assert said(store, "-f", under_way.signature) == "first\nsecond\nlast\n"
    assert said(store, "-f", DONE.signature) == PRINTED


def test_a_name_must_be_of_one_stage(store: Store) -> None:
    with pytest.raises(UseError, match=r"'full' may be 2 stages.*make-"):
        said(store, "full")
    with pytest.raises(UseError, match="no stage is called 'train'"):
        said(store, "train")
