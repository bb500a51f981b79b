"""Stages on a real Slurm of two nodes: arrays, scancel, requeue, two commands at once, two ranks."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import pytest

from harness.commands.status import store_status
from harness.core.graph import Node
from harness.core.store import Store
from harness.run.schedule import Running
from harness.run.slurm import queue
from harness.run.slurm.cancel import cancel_jobs
from harness.run.slurm.detached import detach
from harness.run.slurm.records import record_of
from harness.run.slurm.status import job_states
from tests.harness.run.slurm.real import QUICK, job_of, lines, on_slurm, silent, submitter
from tests.harness.run.stage_functions import STEPS, graph, node
from tests.harness.small import command, environment
from tests.harness.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm"), pytest.mark.usefixtures("cluster")]  # one cluster
COMMAND = """
import sys
from pathlib import Path
from tests.harness.run.slurm.real import on_slurm, silent
from tests.harness.run.stage_functions import graph, node
from harness.commands.status import store_status
from harness.core.store import Store

root, ledger = sys.argv[1:]
one = node("one", "step_by_step", runtime={"ledger": ledger, "pause": 0.2})
outcome = on_slurm(graph(one), Store(Path(root)), say=lambda line: print(line, flush=True))
sys.exit(0 if not outcome.failed else 1)
"""


def slow(tmp_path: Path, label: str = "slow", pause: float = 0.2, **more: Any) -> Node:
    """A stage of some seconds that notes its steps."""
    runtime = {"ledger": str(tmp_path / f"{label}.ledger"), "pause": pause}
    return node(label, "step_by_step", runtime=runtime, **more)


def every_step_once(ledger: Path) -> None:
    """But for the one in which it was stopped."""
    steps = lines(ledger)
    assert sorted(set(steps)) == sorted(f"step {i}" for i in range(STEPS))
    assert len(steps) <= STEPS + 1


class Once:
    """A listener that does something when the stage has come some steps far."""

    def __init__(self, ledger: Path, action: Callable[[], object], steps: int = 6) -> None:
        self.ledger, self.action, self.steps, self.acted = ledger, action, steps, False

    def __call__(self, _: list[Running]) -> None:
        if not self.acted and len(lines(self.ledger)) >= self.steps:
            self.acted = True
            self.action()


def test_what_is_ready_together_is_one_array_and_stages_get_their_inputs(store: Store) -> None:
    parts = [node(f"part {i}") for i in range(3)]
    last = node("last", upstream={"parts": tuple(part.signature for part in parts)})
    said: list[str] = []
    assert on_slurm(graph(*parts, last), store, say=said.append).failed == {}
    arrays = {job_of(store, part).partition("_") for part in parts}
    assert len({array for array, _, _ in arrays}) == 1
    assert {index for _, _, index in arrays} == {"0", "1", "2"}
    assert (store.find(last.signature) / "out.txt").read_text() == "last part 0 part 1 part 2"
    facts = store.manifest("make", last.signature)["facts"]
    assert facts["numpy"] == "1.26"
    assert facts["slurm.job"] == job_of(store, last)
    assert [line.partition(":")[2].partition(";")[0].strip() for line in said] == ["3 x make", "make last"]
    assert not list((store.root / "partial").iterdir())


@pytest.mark.parametrize(
    ("function", "message"), [("fail", "the loss is nan; lower train.lr"), ("broken", "RuntimeError: oops")]
)
def test_a_failing_stage_fails_with_its_own_message(function: str, message: str, store: Store) -> None:
    one = node("one", function)
    outcome = on_slurm(graph(one, node("other")), store)
    assert outcome.failed[one.signature].message == message
    assert len(outcome.finished) == 1


def test_a_stage_killed_on_its_node_says_where_to_look(store: Store) -> None:
    one = node("one", "die")
    message = on_slurm(graph(one), store).failed[one.signature].message
    assert "ended as FAILED: " in message
    assert "the stage's process was killed by signal 9" in message
    assert Path(message.rpartition("(see ")[2].rstrip(")")).is_file()
    assert list(on_slurm(graph(one), store).finished) == [one.signature]


def test_scancel_fails_the_stage_and_the_same_command_goes_on_with_it(store: Store, tmp_path: Path) -> None:
    one = slow(tmp_path)
    ledger = tmp_path / "slow.ledger"
    cancel = Once(ledger, lambda: subprocess.run(["scancel", job_of(store, one)], check=True))
    outcome = on_slurm(graph(one), store, cancel)
    job = job_of(store, one)
    assert outcome.failed[one.signature].message == (
        f"cancelled outside this command: Slurm job {job}; the same command goes on with it"
    )
    before = lines(ledger)
    assert 6 <= len(before) < STEPS
    assert list(on_slurm(graph(one), store).finished) == [one.signature]
    assert job_of(store, one) != job
    every_step_once(ledger)


@pytest.mark.parametrize("words", [("scancel", "--signal=USR2"), ("scontrol", "requeue")])
def test_a_requeued_job_goes_on_within_the_same_command(words: tuple[str, str], store: Store, tmp_path: Path) -> None:
    """USR2 is what Slurm sends before a time limit; `scontrol requeue` does what a preemption does."""
    one = slow(tmp_path)
    requeue = Once(tmp_path / "slow.ledger", lambda: subprocess.run([*words, job_of(store, one)], check=True))
    outcome = on_slurm(graph(one), store, requeue)
    assert list(outcome.finished) == [one.signature]
    every_step_once(tmp_path / "slow.ledger")
    record = record_of(store, one.kind, one.signature)
    assert record is not None
    attempts = {folder.name for folder in (store.root / "slurm" / record.name / one.signature[:16]).iterdir()}
    assert attempts == {f"{record.job}-0", f"{record.job}-1"}


def start(tmp_path: Path) -> subprocess.Popen[str]:
    script = tmp_path / "command.py"
    script.write_text(COMMAND)
    words = [sys.executable, str(script), str(tmp_path / "runs"), str(tmp_path / "ledger")]
    return subprocess.Popen(words, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_jobs_outlive_their_command_and_the_next_one_picks_them_up(number: int, store: Store, tmp_path: Path) -> None:
    first = start(tmp_path)
    until(lambda: len(lines(tmp_path / "ledger")) >= 4)
    os.killpg(first.pid, number)
    said = first.communicate(timeout=180)[0]
    job = re.findall(r"Slurm job (\d+): make one", said)[0]
    if number == signal.SIGINT:
        assert f"Slurm jobs go on: {job}. The same command picks them up" in said
        assert f"harness cancel test --store {store.root}" in said
    second = start(tmp_path)
    assert f"Slurm job {job} goes on: make one" in second.communicate(timeout=180)[0]
    assert second.returncode == 0
    assert lines(tmp_path / "ledger") == [f"step {i}" for i in range(STEPS)]


def test_two_commands_submit_a_stage_once(store: Store, tmp_path: Path) -> None:
    pair = [start(tmp_path), start(tmp_path)]
    said = [one.communicate(timeout=180)[0] for one in pair]
    assert [one.returncode for one in pair] == [0, 0]
    assert sorted("goes on" in words for words in said) == [False, True]
    assert lines(tmp_path / "ledger") == [f"step {i}" for i in range(STEPS)]


def test_a_job_that_its_command_could_not_record_is_found_by_its_name(store: Store, tmp_path: Path) -> None:
    """The command died between sbatch's answer and the record."""
    one = slow(tmp_path, pause=0.05)
    sent = submitter().send(store, [one])[0]
    said: list[str] = []
    type(sent)(**{**vars(sent), "job": None}).write(store)
    assert list(on_slurm(graph(one), store, say=said.append).finished) == [one.signature]
    assert said == [f"Slurm job {sent.job} goes on: make slow"]


def test_cancel_ends_only_what_is_named(store: Store, tmp_path: Path) -> None:
    mine, theirs, ours, alone = (slow(tmp_path, label, 0.5) for label in ("mine", "theirs", "ours", "alone"))
    submitter("a").send(store, [mine])
    submitter("b").send(store, [theirs])
    jobs = [submitter("a").send(store, [one])[0] for one in (ours, alone)]
    submitter("b").claim(store, jobs[0], str(jobs[0].job))
    said: list[str] = []

    def states() -> list[str]:
        seen = queue.look()
        return ["ended" if "CANCEL" in seen[job_of(store, one)].state else "on" for one in (mine, theirs, ours, alone)]

    cancel_jobs(store, [jobs[1].stage[:-6]], said.append)
    until(lambda: states() == ["on", "on", "on", "ended"])
    cancel_jobs(store, ["a"], said.append)
    until(lambda: states() == ["ended", "on", "on", "ended"])
    assert said == [
        f"cancelled: Slurm job {jobs[1].job}, make alone",
        f"left: Slurm job {jobs[0].job}, {jobs[0].stage}, which b wants too; name the stage to cancel it all the same",
        f"cancelled: Slurm job {job_of(store, mine)}, make mine",
    ]
    cancel_jobs(store, [str(jobs[0].job), "b"], said.append)
    until(lambda: states() == ["ended"] * 4)


def test_a_job_that_cannot_start_says_why(store: Store) -> None:
    """A job of an hour in a partition of five minutes waits for ever."""
    one = node("one")
    said: list[str] = []

    def give_up(_: list[Running]) -> None:
        if any("PartitionTimeLimit" in line for line in said):
            cancel_jobs(store, ["test"], said.append)

    settings = QUICK.model_copy(update={"partition": "short", "time_min": 60})
    outcome = on_slurm(graph(one), store, give_up, settings, said.append)
    assert f"Slurm job {job_of(store, one)} waits (PartitionTimeLimit): make one" in said
    assert "cancelled outside" in outcome.failed[one.signature].message


def test_what_slurm_refuses_names_what_was_asked_for(store: Store) -> None:
    one = node("one")
    settings = QUICK.model_copy(update={"gpus": 1, "partition": "debug"})  # the node has none
    message = on_slurm(graph(one), store, settings=settings).failed[one.signature].message
    assert message.startswith("sbatch refused it: ")
    assert "gpus_per_node=1" in message
    assert "partition=debug" in message
    assert record_of(store, one.kind, one.signature) is None


def test_two_ranks_come_up_through_srun_on_two_nodes_in_a_wrapper(store: Store, tmp_path: Path) -> None:
    """srun gives the ranks one more variable, and the wrapper notes it with the node that it runs on."""
    wrapper, noted = tmp_path / "wrapper", tmp_path / "noted"
    wrapper.write_text(f'echo "$SLURMD_NODENAME $GIVEN $2 $3" >> {noted}; exec "$@"')
    wrap, srun = f"nobody,data=sh {wrapper}", "export=ALL,GIVEN=yes"
    settings = QUICK.model_copy(update={"wrap": wrap, "srun": srun, "ranks_per_node": 1})
    runtime = {"ledger": str(tmp_path / "ledger")}
    one = node("wide", "pid", runtime=runtime, ranks=2, launcher=("not", "used"), kind="data")
    assert on_slurm(graph(one), store, settings=settings).failed == {}
    told = sorted(line.split()[1:] for line in lines(tmp_path / "ledger"))
    assert told == [["0", "True", "1"], ["1", "False", "1"]]
    assert {"rank-0", "rank-1", "manifest.json"} <= {p.name for p in store.find(one.signature).iterdir()}
    host = socket.gethostname().partition(".")[0]
    assert sorted(lines(noted)) == sorted(f"{name} yes -m harness.run.worker" for name in (host, "localhost"))


def test_a_detached_graph_goes_on_where_it_can_and_status_shows_what_was_dropped(store: Store, tmp_path: Path) -> None:
    """One of three parts fails: what needs it is dropped, the others' users run, and no more than two ranks at a time."""
    ledger = {"ledger": str(tmp_path / "ledger")}
    parts = [node(f"part {i}", "fail" if i == 1 else "both_ends", kind="train", runtime=ledger) for i in range(3)]
    users = [
        node(f"user {i}", "both_ends", {"part": part.signature}, runtime=ledger, kind="score")
        for i, part in enumerate(parts)
    ]
    last = node("last", upstream={"users": tuple(user.signature for user in users)}, kind="report")
    said: list[str] = []
    settings = QUICK.model_copy(update={"at_once": 2})
    detach(submitter(settings=settings, say=said.append), graph(*parts, *users, last), store)
    assert [line.split(";")[0].partition(": ")[2] for line in said[:3]] == ["3 x train", "3 x score", "report last"]
    until(lambda: sum(store.done(user.kind, user.signature) for user in users) == 2)
    until(lambda: "PENDING" not in {state.state for state in job_states(store).values()})
    assert {state.label for state in job_states(store).values() if state.dropped} == {"user 1", "last"}
    shown = store_status(store, as_json=False)
    assert "  last  not begun  dropped, since what it needs failed; the same command goes on with it" in shown
    assert "  part 1  started  stopped; the same command goes on with it" in shown
    at_once = list(accumulate({"+": 1, "-": -1}[line] for line in lines(tmp_path / "ledger")))
    assert max(at_once) <= 2
    assert len(at_once) == 8


def test_a_failing_rank_ends_the_others(store: Store) -> None:
    first, second = node("first", "fail", ranks=2), node("second", "fail_second", ranks=2)
    begun = time.monotonic()
    outcome = on_slurm(graph(first, second), store)
    assert outcome.failed[first.signature].message == "the loss is nan; lower train.lr"
    message = outcome.failed[second.signature].message
    assert "ended as FAILED: ValueError: this rank is lost (see " in message
    assert message.endswith("_1_log.out)")
    assert time.monotonic() - begun < 300


def test_status_shows_the_log_of_a_running_job(store: Store, tmp_path: Path) -> None:
    one = slow(tmp_path)
    record = submitter().send(store, [one])[0]
    until(lambda: len(lines(tmp_path / "slow.ledger")) > 2)
    state = job_states(store)[record.stage]
    assert (state.job, state.state, state.label) == (record.job, "RUNNING", "slow")
    assert state.node
    assert Path(state.log).is_file()
    said = subprocess.run(command("status", store=store.root), capture_output=True, text=True, env=environment())
    assert re.search(
        rf"{record.stage}  slow  \d+/{STEPS} steps  running\n +Slurm job {record.job}, slow: RUNNING", said.stdout
    )
    cancel_jobs(store, [record.stage], silent)
