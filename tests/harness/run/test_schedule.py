import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core.graph import Graph, Node
from harness.core.store import Store
from harness.plan.plan import Plan
from harness.run.local import Local
from harness.run.schedule import TICK, Event, Outcome, Running, run
from harness.run.worker import HARNESS_PID, watch_command
from tests.harness.run.stage_functions import STEPS, graph, node

ROOT = Path(__file__).parents[3]
COMMAND = """
import sys
from pathlib import Path

import click

from harness import cli
from harness.core.store import Store
from harness.run.local import Local
from harness.run.schedule import run
from tests.harness.run.stage_functions import graph, node


@click.command()
@click.argument("words", nargs=-1)
def go(words):
    root, ledger, function, *launcher = words
    one = node("one", function, runtime={"ledger": ledger}, launcher=tuple(launcher) or None)
    with Local(1) as executor:
        outcome = run(graph(one), Store(Path(root)), executor, lambda event: None, lambda running: None)
    sys.exit("".join(failure.message for failure in outcome.failed.values()) or 0)


if __name__ == "__main__":
    cli.COMMANDS["go"] = "__main__:go"
    cli.main()
"""
SLOW_LAUNCHER = """
import subprocess, sys, time
from pathlib import Path
orphan = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL).pid)"
told = subprocess.run([sys.executable, "-c", orphan], stdout=subprocess.PIPE, text=True)
Path(sys.argv[1]).write_text(told.stdout)
time.sleep(60)
"""
TWO_RANKS = """
import os, subprocess, sys
ranks = [
    subprocess.Popen([sys.executable, "-m", *sys.argv[1:]], env={**os.environ, "RANK": rank}) for rank in "01"
]
sys.exit(max(rank.wait() for rank in ranks))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture(scope="module")
def local() -> Iterator[Local]:
    with Local(2, {"numpy": "1.26"}) as executor:
        yield executor


def silent(_: object) -> None:
    """No listener."""


def start(tmp_path: Path, function: str, *launcher: str, name: str = "command") -> subprocess.Popen[bytes]:
    """A command in a process of its own that runs one stage."""
    script = tmp_path / f"{name}.py"
    script.write_text(COMMAND)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["go", str(tmp_path / "runs"), str(tmp_path / "ledger"), function, *launcher]
    return subprocess.Popen(
        [sys.executable, str(script), *words], env=environment, start_new_session=True, stderr=subprocess.PIPE
    )


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


class InOrder:
    """An executor that runs a stage when it is submitted and keeps the order; some stages fail."""

    def __init__(self, slots: int, failing: tuple[str, ...] = ()) -> None:
        self.slots, self.failing = slots, failing
        self.order: list[str] = []

    def submit(self, store: Store, one: Node) -> Future[None]:
        self.order.append(one.label)
        future: Future[None] = Future()
        if one.label in self.failing:
            future.set_exception(ValueError(f"{one.label} is broken"))
        else:
            store.begin(one.kind, one.signature)
            about: dict[str, Any] = {
                "version": 1,
                "identity": one.identity,
                "upstream": {},
                "seconds": 1,
                "created": "",
            }
            store.commit(one.kind, one.signature, about)
            future.set_result(None)
        return future

    def close(self) -> None:
        """Nothing is left running."""


def diamond() -> Graph:
    data = node("data", priority=40)
    trains = [node(f"train {i}", upstream={"data": data.signature}, priority=30) for i in (0, 1)]
    films = [node(f"film {i}", upstream={"train": t.signature}, priority=20) for i, t in enumerate(trains)]
    base = node("base film", upstream={"data": data.signature}, priority=20)
    report = node("report", upstream={"films": tuple(n.signature for n in (*films, base))})
    return graph(data, base, trains[0], films[0], trains[1], films[1], report)


def test_what_is_ready_runs_by_priority_then_in_order(store: Store) -> None:
    executor = InOrder(1)
    outcome = run(diamond(), store, executor, silent, silent)
    assert executor.order == ["data", "train 0", "train 1", "base film", "film 0", "film 1", "report"]
    assert len(outcome.finished) == 7


def test_a_second_run_does_nothing(store: Store) -> None:
    run(diamond(), store, InOrder(2), silent, silent)
    executor, events = InOrder(2), list[Event]()
    outcome = run(diamond(), store, executor, events.append, silent)
    assert executor.order == []
    assert (len(outcome.cached), len(outcome.finished)) == (7, 0)
    assert {event.state for event in events} == {"cached"}


def test_a_failure_stops_only_what_needs_it(store: Store) -> None:
    events: list[Event] = []
    outcome = run(diamond(), store, InOrder(1, failing=("train 0",)), events.append, silent)
    named = {s.label: s.signature for s in diamond()}
    assert list(outcome.failed) == [named["train 0"]]
    assert outcome.failed[named["train 0"]].message == "train 0 is broken"
    assert set(outcome.blocked) == {named["film 0"], named["report"]}
    assert outcome.blocked[named["report"]].message == "needs make train 0, which failed"
    assert {named["train 1"], named["film 1"], named["base film"]} <= set(outcome.finished)
    assert [e.state for e in events if e.node.label == "film 0"] == ["blocked"]
    # What is repaired goes on from there.
    repaired = InOrder(1)
    assert run(diamond(), store, repaired, silent, silent).failed == {}
    assert repaired.order == ["train 0", "film 0", "report"]


def test_what_is_cached_is_not_blocked_by_a_lost_and_failing_upstream(store: Store) -> None:
    first = node("first")
    second = node("second", upstream={"a": first.signature})
    run(graph(first, second), store, InOrder(1), silent, silent)
    store.artifact("make", first.signature).rename(store.root / "elsewhere")
    outcome = run(graph(first, second), store, InOrder(1, failing=("first",)), silent, silent)
    assert (list(outcome.failed), list(outcome.cached), outcome.blocked) == ([first.signature], [second.signature], {})


class Later(InOrder):
    """Stages take a moment; what runs side by side is kept."""

    def __init__(self, slots: int) -> None:
        super().__init__(slots)
        self.together: list[set[str]] = []
        self.now: set[str] = set()

    def submit(self, store: Store, one: Node) -> Future[None]:
        self.now.add(one.label)
        self.together.append(set(self.now))
        inner, outer = super().submit(store, one), Future[None]()

        def end() -> None:
            self.now.discard(one.label)
            outer.set_result(inner.result())

        threading.Timer(0.1, end).start()
        return outer


def test_stages_of_several_ranks_take_as_many_slots(store: Store) -> None:
    executor = Later(2)
    nodes = [node("a", priority=3), node("wide", ranks=8, priority=2), node("b", priority=1), node("c")]
    outcome = run(graph(*nodes), store, executor, silent, silent)
    assert executor.together == [{"a"}, {"wide"}, {"b"}, {"b", "c"}]
    assert len(outcome.finished) == 4


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


def test_running_stages_are_looked_at_about_once_a_second(store: Store, local: Local) -> None:
    one = node("slow", "step_by_step")
    looks: list[list[Running]] = []
    begun = time.monotonic()
    run(graph(one), store, local, silent, looks.append)
    seconds = time.monotonic() - begun
    progress = [r.progress for look in looks for r in look if r.progress]
    assert 1 <= len(looks) <= seconds / TICK  # however long a busy machine takes
    assert progress
    assert progress[-1]["total"] == STEPS
    assert progress[-1]["unit"] == "step"
    assert 0 < progress[-1]["done"] <= STEPS


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


def finished(store: Store) -> list[dict[str, Any]]:
    return list(store.manifests("make"))


def test_a_killed_command_leaves_nothing_running_and_the_next_one_resumes(store: Store, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    command = start(tmp_path, "step_by_step")
    until(lambda: len(lines(ledger)) >= 12)
    family = psutil.Process(command.pid).children(recursive=True)
    os.kill(command.pid, signal.SIGKILL)
    # Not waited for: a killed command that its parent has not collected yet counts as gone too.
    psutil.wait_procs(family, timeout=5)
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    command.wait()
    before = lines(ledger)
    assert before == [f"step {i}" for i in range(len(before))]
    assert len(before) < STEPS
    assert finished(store) == []
    again = start(tmp_path, "step_by_step")
    said = again.communicate(timeout=60)[1].decode()
    assert again.returncode == 0, said
    after = lines(ledger)
    # The step at which the kill came may be done twice, no other.
    assert len(after) <= STEPS + 1
    assert sorted(set(after)) == sorted(f"step {i}" for i in range(STEPS))
    # Both attempts count; of the first, what it had noted half a second in.
    assert finished(store)[0]["seconds"] > (STEPS - len(before)) * 0.05 + 0.4


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_launcher_or_a_stage_has_started_does_not_outlive_the_command(
    number: int, store: Store, tmp_path: Path
) -> None:
    """A launcher that has not come to its ranks yet, and looks at no parent; a process whose own parent is gone; a judge."""
    launcher = tmp_path / "slow_launcher.py"
    launcher.write_text(SLOW_LAUNCHER)
    (tmp_path / "other").mkdir()
    ledgers = tmp_path / "ledger", tmp_path / "other" / "ledger"
    commands = [
        start(tmp_path, "pid", sys.executable, str(launcher), str(ledgers[0])),
        start(tmp_path / "other", "judge"),
    ]
    until(lambda: all(map(lines, ledgers)))
    started = {child.pid for one in commands for child in psutil.Process(one.pid).children(recursive=True)}
    started |= {int(lines(ledger)[0]) for ledger in ledgers}
    for command in commands:
        command.send_signal(number)
    until(lambda: all(map(is_gone, started)), 30)  # of the 60 that they would take
    for command in commands:
        command.wait()


def test_two_commands_run_a_shared_stage_once(store: Store, tmp_path: Path) -> None:
    commands = [start(tmp_path, "step_by_step", name=name) for name in ("a", "b")]
    assert [command.wait(timeout=30) for command in commands] == [0, 0]
    assert lines(tmp_path / "ledger") == [f"step {i}" for i in range(STEPS)]
    assert len(finished(store)) == 1


@pytest.mark.parametrize(("number", "name", "code"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)])
def test_a_signal_ends_the_command_and_its_workers_and_says_what_is_kept(
    number: int, name: str, code: int, store: Store, tmp_path: Path
) -> None:
    command = start(tmp_path, "step_by_step")
    until(lambda: any((store.root / "partial").glob("*/progress.json")))
    family = [child.pid for child in psutil.Process(command.pid).children(recursive=True)]
    os.killpg(command.pid, number)  # as a terminal does: to the whole group
    said = command.communicate(timeout=30)[1].decode()
    assert command.returncode == code
    assert "ending what runs; a moment, please\n" in said
    assert re.search(
        rf"^harness: ended by {name}; 0 of 1 stages are finished and kept, and what was under way: make one \(step \d+/32\)\. "
        r"The same command goes on from there\.$",
        said,
        re.MULTILINE,
    ), said
    assert "Aborted" not in said
    until(lambda: all(map(is_gone, family)), 10)
    assert finished(store) == []


def test_an_outcome_is_empty_for_an_empty_graph(store: Store, local: Local) -> None:
    assert run(Graph(), store, local, silent, silent) == Outcome()
    assert json.loads((store.root / "store.json").read_text()) == {"format": 1}


def test_a_rank_on_another_machine_does_not_look_for_the_command_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """srun hands the environment on; what has that process id elsewhere is something else, or nothing."""
    monkeypatch.setenv(HARNESS_PID, "some-other-host:1")
    before = threading.active_count()
    watch_command()
    assert threading.active_count() == before
