"""Stages on a real Slurm of one node: arrays, scancel, requeue, two commands at once, two ranks, and the whole command."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from harness.core.graph import Graph, Node
from harness.core.store import Store
from harness.declare.settings import SlurmSettings
from harness.run.schedule import Outcome, Running, run
from harness.run.slurm import queue
from harness.run.slurm.cancel import cancel_jobs
from harness.run.slurm.executor import Slurm
from harness.run.slurm.records import record_of
from harness.run.slurm.status import job_states
from harness.run.slurm.submission import Submitter
from tests.debian import install
from tests.harness import small
from tests.harness.run.slurm.one_node_slurm import PACKAGES, OneNode, missing
from tests.harness.run.stage_functions import STEPS, graph, node
from tests.harness.small import ONE_TRACK, ROOT, SMALL, command, environment, process

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("slurm")]  # one cluster
QUICK = SlurmSettings(poll_s=0.5, mem_gb=1)
ABLATION = ("ablation_eimg", ONE_TRACK, *SMALL)
ON_SLURM = ("--executor", "slurm", "slurm.poll_s=0.5", "slurm.mem_gb=1")
harness = partial(
    process, timeout=1800
)  # a busy machine takes its time, and a killed command would leave its jobs running
COMMAND = """
import sys
from pathlib import Path
from tests.harness.run.slurm.test_slurm_cluster import on_slurm, silent
from tests.harness.run.stage_functions import graph, node
from harness.core.store import Store

root, ledger = sys.argv[1:]
one = node("one", "step_by_step", runtime={"ledger": ledger, "pause": 0.2})
outcome = on_slurm(graph(one), Store(Path(root)), say=lambda line: print(line, flush=True))
sys.exit(0 if not outcome.failed else 1)
"""


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[OneNode]:
    if missing():
        install(*PACKAGES)
    if lacking := missing():
        pytest.skip(f"Slurm is not installed and could not be: no {', '.join(lacking)}")
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "OMP_NUM_THREADS")}
    os.environ.update(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")  # which jobs inherit
    os.chdir(ROOT)
    with OneNode() as one:
        yield one
        subprocess.run(["scancel", "--me"], timeout=60)
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def silent(_: object) -> None:
    """No listener."""


def submitter(experiment: str = "test", settings: SlurmSettings = QUICK, say: Any = silent) -> Submitter:
    return Submitter(settings, embedded=True, experiment=experiment, facts={"numpy": "1.26"}, say=say)


def on_slurm(
    stages: Graph,
    store: Store,
    on_tick: Callable[[list[Running]], None] = silent,
    settings: SlurmSettings = QUICK,
    say: Callable[[str], None] = silent,
) -> Outcome:
    """Run the stages as jobs, for five minutes at most."""
    deadline = time.monotonic() + 300

    def tick(running: list[Running]) -> None:
        assert time.monotonic() < deadline, running
        on_tick(running)

    with Slurm(submitter(settings=settings, say=say)) as executor:
        return run(stages, store, executor, silent, tick)


def job_of(store: Store, one: Node) -> str:
    record = record_of(store, one.kind, one.signature)
    assert record is not None
    assert record.job is not None
    return record.job


def lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []


def until(condition: Callable[[], bool], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


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


def test_two_ranks_come_up_through_srun(store: Store, tmp_path: Path) -> None:
    one = node("wide", "pid", runtime={"ledger": str(tmp_path / "ledger")}, ranks=2, launcher=("not", "used"))
    assert on_slurm(graph(one), store).failed == {}
    told = sorted(line.split()[1:] for line in lines(tmp_path / "ledger"))
    assert told == [["0", "True", "1"], ["1", "False", "1"]]
    assert {"rank-0", "rank-1", "manifest.json"} <= {p.name for p in store.find(one.signature).iterdir()}


def test_a_failing_rank_ends_the_others(store: Store) -> None:
    first, second = node("first", "fail", ranks=2), node("second", "fail_second", ranks=2)
    begun = time.monotonic()
    outcome = on_slurm(graph(first, second), store)
    assert outcome.failed[first.signature].message == "the loss is nan; lower train.lr"
    message = outcome.failed[second.signature].message
    assert "ended as FAILED: ValueError: this rank is lost (see " in message
    assert message.endswith("_1_log.out)")
    assert time.monotonic() - begun < 300


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Of runs on this machine, and on Slurm."""
    return tmp_path_factory.mktemp("local") / "runs", tmp_path_factory.mktemp("slurm") / "runs"


def table(stdout: str) -> list[str]:
    return [line for line in stdout.splitlines() if line.startswith("|")]


def test_the_table_is_the_same_as_on_this_machine(stores: tuple[Path, Path]) -> None:
    here = small.harness("run", *ABLATION, "--only", "full,base", store=stores[0])
    there = harness("run", *ABLATION, "--only", "full,base", *ON_SLURM, store=stores[1])
    assert (here.returncode, there.returncode) == (0, 0), here.stderr[-1500:] + there.stderr[-1500:]
    assert table(there.stdout) == table(here.stdout)
    assert len(table(there.stdout)) >= 4
    assert "Slurm job" in there.stderr
    again = harness("run", *ABLATION, "--only", "full,base", *ON_SLURM, store=stores[1])
    assert "10 of 10 stages were done already" in again.stderr
    assert "Slurm job" not in again.stderr


def test_detached_stages_run_in_order_and_status_shows_them(stores: tuple[Path, Path]) -> None:
    words = ("run", *ABLATION, "--only", "full,no_e_img", *ON_SLURM)
    detached = harness(*words, "--detach", store=stores[1])
    assert detached.returncode == 0, detached.stderr
    assert "5 jobs submitted, 0 under way already, 6 stages done" in detached.stdout
    rows = json.loads(harness("status", "--json", store=stores[1]).stdout)["partial"]
    states = {row["stage"].partition("-")[0]: row["slurm"] for row in rows}
    assert set(states) == {"train", "forecast", "generate", "score", "report"}
    assert (states["generate"]["state"], states["generate"]["why"]) == ("PENDING", "Dependency")
    shown = harness("status", store=stores[1]).stdout
    for state in states.values():
        assert f"Slurm job {state['job']}, {state['label']}: " in shown
    assert "5 under way already" in harness(*words, "--detach", store=stores[1]).stdout
    followed = harness(*words, store=stores[1])
    assert followed.returncode == 0, followed.stderr[-3000:]
    assert any(line.startswith("| no_e_img ") for line in table(followed.stdout))
    for state in states.values():
        made = [m["facts"]["slurm.job"] for kind in states for m in Store(stores[1]).manifests(kind)]
        assert state["job"] in made


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


def test_two_ranks_train_the_same_as_under_the_launcher(stores: tuple[Path, Path]) -> None:
    words = ("run", *ABLATION, "--only", "full", "train.ranks=2")
    here, there = harness(*words, store=stores[0]), harness(*words, *ON_SLURM, store=stores[1])
    assert (here.returncode, there.returncode) == (0, 0), here.stderr[-1500:] + there.stderr[-1500:]
    assert table(there.stdout) == table(here.stdout)


def test_an_unknown_partition_is_refused_before_anything_is_submitted(tmp_path: Path) -> None:
    done = harness("run", *ABLATION, "--executor", "slurm", "slurm.partition=debgu", store=tmp_path / "runs")
    assert done.returncode == 2
    assert "slurm.partition=debgu: no such partition; did you mean 'debug'? available: debug, short" in done.stderr
