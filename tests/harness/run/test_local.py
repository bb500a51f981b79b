"""Stages in processes of this machine."""

import os
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core.graph import Node
from harness.core.store import Store
from harness.plan.plan import Plan
from harness.run.local import Local
from harness.run.schedule import Running, run
from tests.harness.run.stage_functions import graph, lines, node, silent

ROOT = Path(__file__).parents[3]
TWO_RANKS = """
import os, subprocess, sys
ranks = [
    subprocess.Popen([sys.executable, "-m", *sys.argv[1:]], env={**os.environ, "RANK": rank}) for rank in "01"
]
sys.exit(max(rank.wait() for rank in ranks))
"""


def test_stages_run_in_workers_with_their_inputs(store: Store, local: Local) -> None:
    first, other = node("first"), node("other")
    last = node("last", upstream={"one": first.signature, "many": (first.signature, other.signature)})
    outcome = run(graph(first, other, last), store, local, silent, silent)
    assert outcome.failed == {}
    assert (store.find(last.signature) / "out.txt").read_text() == "last first first other"
    manifest = store.manifest("make", last.signature)
    assert manifest["signature"] == last.signature
    assert manifest["identity"] == {"name": "last"}
    assert manifest["upstream"] == {"one": first.signature, "many": [first.signature, other.signature]}
    assert manifest["facts"] == {"numpy": "1.26"}
    assert (manifest["kind"], manifest["label"], manifest["version"]) == ("make", "last", 1)
    assert manifest["seconds"] >= 0
    assert not list((store.root / "partial").iterdir())


def test_workers_are_kept_and_have_one_thread(store: Store, local: Local, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    nodes = [node(str(i), "pid", runtime={"ledger": str(ledger)}) for i in range(6)]
    run(graph(*nodes), store, local, silent, silent)
    pids, ranks, first, threads = zip(*(line.split() for line in lines(ledger)), strict=True)
    assert str(os.getpid()) not in pids
    assert len(set(pids)) <= 2
    assert (set(ranks), set(first), set(threads)) == ({"-"}, {"True"}, {"1"})


def test_output_goes_to_the_log(store: Store, local: Local, capfd: pytest.CaptureFixture[str]) -> None:
    one = node("noisy", "noisy")
    run(graph(one), store, local, silent, silent)
    assert sorted((store.find(one.signature) / "log.txt").read_text().split("\n")) == [
        "",
        "from a child",
        "from python",
    ]
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("fail", "the loss is nan; lower train.lr"),
        ("broken", "RuntimeError: oops"),
        ("leave", "SystemExit: 3"),
        ("no_such", "AttributeError: module 'tests.harness.run.stage_functions' has no attribute 'no_such'"),
    ],
)
def test_a_failing_stage_leaves_its_error(function: str, message: str, store: Store, local: Local) -> None:
    one = node("one", function)
    outcome = run(graph(one, node("other")), store, local, silent, silent)
    assert outcome.failed[one.signature].message == message
    assert len(outcome.finished) == 1
    report = store.note("make", one.signature, "error.json")
    assert report is not None
    assert report["message"] == message
    assert report["traceback"].startswith("Traceback")
    assert Plan.of(graph(one), store).rows[0].why == f"failed: {message}"


def test_a_killed_worker_fails_its_stage_only(store: Store, local: Local) -> None:
    one = node("one", "die")
    others = [node(f"other {i}", "step_by_step", runtime={"pause": 0.01}) for i in range(3)]
    outcome = run(graph(one, *others), store, local, silent, silent)
    assert list(outcome.failed) == [one.signature]
    assert "was ended from outside" in outcome.failed[one.signature].message
    assert len(outcome.finished) == 3
    assert list(run(graph(one), store, local, silent, silent).finished) == [one.signature]


def test_an_interrupt_ends_the_workers_and_the_stage_can_be_resumed(store: Store, tmp_path: Path) -> None:
    one = node("slow", "sleep", runtime={"ledger": str(tmp_path / "ledger")})

    def interrupt(_: list[Running]) -> None:
        if lines(tmp_path / "ledger"):
            raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), Local(1) as executor:
        run(graph(one), store, executor, silent, interrupt)
    assert time.monotonic() - begun < 20
    assert not psutil.pid_exists(int(lines(tmp_path / "ledger")[0]))
    assert Plan.of(graph(one), store).rows[0].state == "partial"


def launched(tmp_path: Path, function: str, **more: Any) -> Node:
    launcher = tmp_path / "two_ranks.py"
    launcher.write_text(TWO_RANKS)
    runtime = {"ledger": str(tmp_path / "ledger")}
    return node("wide", function, runtime=runtime, ranks=2, launcher=(sys.executable, str(launcher)), **more)


def test_a_launched_stage_runs_on_all_ranks_and_commits_once(
    store: Store, tmp_path: Path, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    one = launched(tmp_path, "pid")
    assert run(graph(one), store, local, silent, silent).failed == {}
    told = sorted(line.split()[1:3] for line in lines(tmp_path / "ledger"))
    assert told == [["0", "True"], ["1", "False"]]
    assert {"rank-0", "rank-1", "log.txt", "manifest.json"} <= {p.name for p in store.find(one.signature).iterdir()}
    assert list((store.root / "jobs").iterdir()) == []


@pytest.mark.slow
def test_a_launched_stage_fails_with_its_own_message(
    store: Store, tmp_path: Path, local: Local, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    one = launched(tmp_path, "fail")
    lost = node("lost", launcher=("/no/such/launcher",))
    outcome = run(graph(one, lost), store, local, silent, silent)
    assert outcome.failed[one.signature].message == "the loss is nan; lower train.lr"
    assert outcome.failed[lost.signature].message == "cannot start '/no/such/launcher': there is no such program"
