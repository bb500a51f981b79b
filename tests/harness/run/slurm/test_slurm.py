"""Slurm's side of a run without a Slurm: what is asked for, what its answers mean, and what people are told."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.graph import Node
from harness.core.store import ERROR, Store
from harness.declare.settings import SlurmSettings
from harness.plan import kinds
from harness.run.schedule import Running, run
from harness.run.slurm import queue
from harness.run.slurm.cancel import cancel_jobs
from harness.run.slurm.executor import Slurm
from harness.run.slurm.records import JobRecord, record_of, unfinished
from harness.run.slurm.resources import AT_SIZE, EMBEDDED, KINDS, needs, parameters
from harness.run.slurm.status import job_states
from harness.run.slurm.submission import Submitter
from harness.run.slurm.verdict import why
from tests.harness.run.stage_functions import graph, node
from tests.harness.small import ONE_TRACK, SMALL, harness

SQUEUE = """12|RUNNING|None|n1|train-aaaa
13_0|RUNNING|None|n[1-2]|score-bbbb
13_1|PENDING|Priority||score-bbbb
13_2|CANCELLED|None||score-bbbb
14|FAILED|NonZeroExitCode|n1|report-cccc
"""


def settings(**values: Any) -> SlurmSettings:
    return SlurmSettings.model_validate(values)


def train(ranks: int = 1) -> Node:
    return node("full", kind="train", ranks=ranks)


def submitter(values: SlurmSettings | None = None, said: list[str] | None = None) -> Submitter:
    return Submitter(values or SlurmSettings(poll_s=0.5), True, "test", {}, [].append if said is None else said.append)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder first on PATH with Slurm's commands as shell scripts that a test writes; each that is missing prints nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scancel", "srun", "sinfo", "scontrol", "sacct"):
        program(folder, name, "")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_stage_asks_by_its_kind_and_scale() -> None:
    assert needs("train", settings(), embedded=True) == EMBEDDED
    assert needs("train", settings(), embedded=False) == AT_SIZE["train"]
    assert needs("report", settings(), embedded=False).gpus == 0
    assert AT_SIZE.keys() <= set(KINDS)
    assert set(KINDS) == {kind.name for kind in vars(kinds).values() if isinstance(kind, kinds.Kind)}


def test_settings_replace_the_table_for_all_kinds_or_for_some() -> None:
    told = settings(time_min="train=2880, generate=600", gpus=0, mem_gb=7)
    assert needs("train", told, embedded=False).time_min == 2880
    assert needs("generate", told, embedded=False).time_min == 600
    assert needs("data", told, embedded=False) == needs("data", settings(gpus=0, mem_gb=7), embedded=False)
    assert (needs("data", told, embedded=False).gpus, needs("report", told, embedded=False).mem_gb) == (0, 7)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"time_min": "trian=5"}, r"slurm\.time_min=trian=5: no stage is of the kind 'trian'; did you mean 'train'"),
        ({"cpus": "train=many"}, r"slurm\.cpus=train=many: expected a number, or kinds with numbers"),
        ({"cpus": "train=0"}, r"expected a number"),
        ({"mem_gb": "lots"}, r"no stage is of the kind 'lots'"),
    ],
)
def test_what_cannot_be_read_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(UseError, match=said):
        needs("train", settings(**values), embedded=True)


def test_no_gpu_may_be_asked_for_by_kind() -> None:
    assert needs("score", settings(gpus="score=0"), embedded=False).gpus == 0


def test_one_rank_is_one_task() -> None:
    asked = parameters(train(), settings(partition="gpu", account="lab", qos="high"), embedded=False)
    assert (asked["nodes"], asked["ntasks_per_node"], asked["gpus_per_node"]) == (1, 1, 1)
    assert (asked["partition"], asked["account"], asked["qos"]) == ("gpu", "lab", "high")
    assert (asked["mem"], asked["time"], asked["cpus_per_task"]) == ("96GB", 1440, 8)
    assert "--cpus-per-task=8" in asked["srun_args"]


def test_ranks_are_tasks_over_nodes() -> None:
    asked = parameters(train(16), settings(), embedded=False)
    assert (asked["nodes"], asked["ntasks_per_node"], asked["gpus_per_node"], asked["mem"]) == (2, 8, 8, "768GB")
    assert "--kill-on-bad-exit=1" in asked["srun_args"]
    asked = parameters(train(16), settings(ranks_per_node=4, gpus=0), embedded=False)
    assert (asked["nodes"], asked["ntasks_per_node"], asked["mem"]) == (4, 4, "384GB")
    assert "gpus_per_node" not in asked
    with pytest.raises(UseError, match=r"train\.ranks=9 does not come out even on 2 nodes of at most 8 ranks"):
        parameters(train(9), settings(), embedded=False)


def test_more_options_of_sbatch() -> None:
    asked = parameters(
        train(), settings(extra="constraint=a100 --exclude=n[3-4],n7 exclusive", setup="module load cuda"), True
    )
    assert asked["additional_parameters"] == {
        "requeue": True, "constraint": "a100", "exclude": "n[3-4],n7", "exclusive": True
    }  # fmt: skip
    assert asked["setup"] == ["module load cuda"]
    assert {"partition", "account", "qos", "gpus_per_node"}.isdisjoint(asked)


def test_the_script_that_sbatch_is_given(store: Store, programs: Path) -> None:
    program(programs, "sbatch", 'cat "$1" > "$(dirname "$0")/given.sh"; echo Submitted batch job 77')
    said: list[str] = []
    told = settings(partition="gpu", time_min=30, signal_s=60, extra="constraint=a100", setup="module load cuda")
    records = submitter(told, said).send(store, [train(2), train(2)], after=["12", "13_0"])
    script = (programs / "given.sh").read_text()
    for option in (
        "partition=gpu", "time=30", "signal=USR2@60", "constraint=a100", "requeue", "array=0-1%2", "nodes=1",
        "ntasks-per-node=2", "cpus-per-task=1", "mem=8GB", "dependency=afterok:12:13_0", "kill-on-invalid-dep=yes",
        "open-mode=append",
    ):  # fmt: skip
        assert f"#SBATCH --{option}\n" in script
    assert "\nmodule load cuda\n" in script
    assert "\nsrun --unbuffered" in script
    assert f"{sys.executable} -u -m submitit.core._submit" in script
    assert [(record.job, record.index) for record in records] == [("77_0", 0), ("77_1", 1)]
    assert said == [f"Slurm job 77: 2 x train; logs in {store.root / 'slurm' / records[0].name}"]


def test_an_allocation_that_the_command_runs_in_is_not_handed_on(
    store: Store, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs, "sbatch", 'env > "$(dirname "$0")/given.txt"; echo Submitted batch job 77')
    for name in ("SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_MEM_PER_NODE", "SLURM_CONF"):
        monkeypatch.setenv(name, "1")
    submitter().send(store, [train()])
    given = (programs / "given.txt").read_text()
    assert "SLURM_CONF=1" in given
    assert "SLURM_NTASKS" not in given
    assert "SLURM_MEM_PER_NODE" not in given


def test_a_detached_graph_depends_on_the_jobs_before_it(store: Store, programs: Path) -> None:
    given = programs / "given"
    program(
        programs,
        "sbatch",
        f"cat $1 >> {given}; n=$(grep -c bin/bash {given}); [ $n -lt 3 ] && echo Submitted batch job $n",
    )
    first = node("first")
    second = node("second", upstream={"a": first.signature})
    third = node("third", upstream={"a": first.signature, "b": second.signature})
    said: list[str] = []
    with pytest.raises(
        UseError, match=r"sbatch refused it: .*\. 2 of 3 stages have a job, .* harness cancel test --store"
    ):
        submitter(said=said).detach(graph(first, second, third), store)
    depends = [line for line in given.read_text().splitlines() if "dependency" in line]
    assert depends == ["#SBATCH --dependency=afterok:1", "#SBATCH --dependency=afterok:1:2"]
    assert {record.label for record in unfinished(store)} == {"first", "second"}


def test_squeue_is_read() -> None:
    jobs = queue.read(SQUEUE + "not a line of it\n")
    assert list(jobs) == ["12", "13_0", "13_1", "13_2", "14"]
    assert jobs["13_0"] == queue.Seen("13_0", "RUNNING", "None", "n[1-2]", "score-bbbb")
    assert [jobs[job].active for job in jobs] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("name", "index", "job", "found"),
    [
        ("train-aaaa", None, "12", "12"),
        ("train-dddd", None, "12", None),  # another cluster's job 12, or a later one
        ("score-bbbb", 1, "13_1", "13_1"),
        ("score-bbbb", 1, None, "13_1"),  # its command died before it could write the id
        ("train-aaaa", None, None, "12"),
        ("train-dddd", None, None, None),
    ],
)
def test_a_record_finds_its_job(name: str, index: int | None, job: str | None, found: str | None, store: Store) -> None:
    record = JobRecord("train", "5" * 64, "full", name, index, job, ("a",))
    seen = record.seen(queue.read(SQUEUE))
    assert (seen.job if seen else None) == found
    record.write(store)
    assert record_of(store, "train", "5" * 64) == record
    assert list(unfinished(store)) == [record]


def test_what_is_not_known_is_not_concluded(store: Store, programs: Path) -> None:
    """While the controller is away, nothing fails and nothing is submitted twice."""
    away, asked, said = programs / "away", programs / "asked", list[str]()
    away.touch()
    program(
        programs,
        "squeue",
        f"echo . >> {asked}; [ -e {away} ] && echo 'squeue: error: Unable to contact' >&2 && exit 1; exit 0",
    )
    program(programs, "sbatch", "echo 'sbatch: error: Batch job submission failed: Access denied' >&2; exit 1")
    one = node("one")

    def come_back(running: list[Running]) -> None:
        assert running[0].seconds < 120
        if len(asked.read_text().split()) > 2:
            away.unlink(missing_ok=True)

    with Slurm(submitter(said=said)) as executor:
        outcome = run(graph(one), store, executor, lambda _: None, come_back)
    assert said == ["squeue: Unable to contact; trying again"]
    message = outcome.failed[one.signature].message
    assert message.startswith("sbatch refused it: Batch job submission failed: Access denied; time=120, nodes=1, ")
    assert message.endswith("(settings slurm.*)")
    assert record_of(store, "make", one.signature) is None


@pytest.mark.parametrize(
    ("state", "accounted", "said"),
    [
        ("TIMEOUT", "", r"ran out of time \(120 minutes, slurm.time_min\) and was not requeued"),
        ("OUT_OF_MEMORY", "", r"ran out of the 4 GB a rank that it asked for; raise slurm.mem_gb"),
        ("CANCELLED", "", r"cancelled outside this command: Slurm job 77; the same command goes on with it"),
        ("FAILED", "", r"ended as FAILED: it printed nothing \(see "),
        ("", "CANCELLED by 1000", r"cancelled outside this command"),
        ("", "", r"Slurm no longer knows job 77, and it left no result"),
        (
            "COMPLETED",
            "",
            r"says that it completed, but its result is not in .* a disk that this machine and the nodes share",
        ),
    ],
)
def test_how_a_job_ended_is_said(
    state: str, accounted: str, said: str, store: Store, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`state` in the queue; where that has forgotten the job, `accounted` in the accounting."""
    monkeypatch.setattr("harness.run.slurm.executor.LAG", 0.6)
    name = programs / "name"
    program(programs, "sbatch", f"grep -o 'make-[0-9a-f]*' \"$1\" | head -n 1 > {name}; echo Submitted batch job 77")
    program(programs, "squeue", f'[ -n "{state}" ] && [ -e {name} ] && echo "77|{state}|None|n1|$(cat {name})"; exit 0')
    program(programs, "sacct", f"echo {accounted}")
    one = node("one")
    with Slurm(submitter()) as executor:
        outcome = run(graph(one), store, executor, lambda _: None, in_time)
    assert re.search(said, outcome.failed[one.signature].message)


@pytest.mark.parametrize(
    ("logs", "said", "rank"),
    [
        (["srun: error: Job credential expired\nsrun: Job step aborted\n"], "srun: error: Job credential expired", 0),
        (["/bin/sh: python3: not found\nsrun: error: exit 127\n"], "/bin/sh: python3: not found", 0),
        (["working\n", "ValueError: no card\nharness.core.job.StageError: ended with 1\n"], "ValueError: no card", 1),
        (
            ["working\nharness.core.job.StageError: killed by signal 9\n"],
            "harness.core.job.StageError: killed by signal 9",
            0,
        ),
    ],
)
def test_what_a_jobs_logs_say_of_its_end(logs: list[str], said: str, rank: int, store: Store) -> None:
    record = JobRecord("train", "5" * 64, "full", "train-aaaa", None, "77", ("a",))
    folder = store.root / "slurm" / record.name
    folder.mkdir(parents=True)
    for number, text in enumerate(logs):
        (folder / f"77_{number}_log.out").write_text(text)
    assert why(record, "FAILED", EMBEDDED, store) == (
        f"Slurm job 77 ended as FAILED: {said} (see {folder / f'77_{rank}_log.out'})"
    )
    store.begin("train", record.signature)
    write_json(store.partial("train", record.signature) / ERROR, {"message": "the loss is nan"})
    assert why(record, "FAILED", EMBEDDED, store) == "the loss is nan"


def test_what_the_cluster_ended_is_submitted_again(store: Store, programs: Path) -> None:
    names = programs / "names"
    program(
        programs, "sbatch", f"grep -om1 'make-[0-9a-f]*' \"$1\" >> {names}; echo Submitted batch job $(wc -l < {names})"
    )
    states = "[ $n = 3 ] && state=CANCELLED || state=PREEMPTED"
    program(
        programs,
        "squeue",
        f'n=0; touch {names}; while read name; do n=$((n+1)); {states}; echo "$n|$state|||$name"; done < {names}',
    )
    one, said = node("one"), list[str]()
    with Slurm(submitter(said=said)) as executor:
        outcome = run(graph(one), store, executor, lambda _: None, in_time)
    assert "cancelled outside this command: Slurm job 3;" in outcome.failed[one.signature].message
    again = [line for line in said if "submitted again" in line]
    assert again == [f"Slurm job {job} was ended by the cluster (PREEMPTED): submitted again" for job in (1, 2)]


def in_time(running: list[Running]) -> None:
    """A listener that ends what hangs."""
    assert all(one.seconds < 120 for one in running)


def test_status_without_slurm_says_so(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert job_states(store) == {}
    record = JobRecord("train", "5" * 64, "full", "train-aaaa", None, "12", ("a",))
    record.write(store)
    monkeypatch.setenv("PATH", str(tmp_path))
    state = job_states(store)[record.stage]
    assert (state.job, state.state) == ("12", "UNKNOWN")
    assert "no squeue on PATH" in str(state)
    assert state.log.endswith("slurm/train-aaaa/12_0_log.out")


def test_status_of_jobs(store: Store, programs: Path) -> None:
    program(programs, "squeue", f"cat <<END\n{SQUEUE}END")
    for digit, (name, index, job) in enumerate(
        [("train-aaaa", None, "12"), ("score-bbbb", 1, "13_1"), ("x-y", None, "9")]
    ):
        JobRecord(name.partition("-")[0], str(digit) * 64, "full", name, index, job, ("a",)).write(store)
    shown = [str(state).partition("; log")[0] for state in job_states(store).values()]
    assert sorted(shown) == [
        "Slurm job 12, full: RUNNING on n1",
        "Slurm job 13_1, full: PENDING (Priority)",
        "Slurm job 9, full: UNKNOWN",
    ]


def test_cancel_refuses_what_it_does_not_know(store: Store, programs: Path) -> None:
    program(programs, "squeue", f"cat <<END\n{SQUEUE}END")
    program(programs, "scancel", 'echo "$@" >> "$(dirname "$0")/cancelled"')
    for digit, (name, index, job) in enumerate([("train-aaaa", None, "12"), ("score-bbbb", 1, "13_1")]):
        JobRecord(name.partition("-")[0], str(digit) * 64, "full", name, index, job, ("a",)).write(store)
    with pytest.raises(
        UseError, match=r"b: no Slurm job under way has this name; expected one of: .*13_1.*, a\. Nothing"
    ):
        cancel_jobs(store, ["a", "b"], lambda _: None)
    with pytest.raises(UseError, match="no Slurm job under way"):
        cancel_jobs(store, ["train-00"], lambda _: None)  # too short to be sure
    assert not (programs / "cancelled").exists()
    cancel_jobs(store, ["score-1111"], lambda _: None)
    assert (programs / "cancelled").read_text() == "13_1\n"


def test_a_machine_without_slurm(tmp_path: Path) -> None:
    words = ("run", "ablation_eimg", ONE_TRACK, *SMALL, "--executor", "slurm")
    done = harness(*words, store=tmp_path / "runs", variables={"PATH": ""})
    assert done.returncode == 2
    assert "--executor slurm: no sbatch, squeue, scancel, srun, sinfo, scontrol on PATH" in done.stderr
    assert "Traceback" not in done.stderr


def test_detach_is_for_slurm(tmp_path: Path) -> None:
    words = ("run", "ablation_eimg", ONE_TRACK, *SMALL, "--detach")
    done = harness(*words, store=tmp_path / "runs", variables={"PATH": ""})
    assert done.returncode == 2
    assert "--detach goes with --executor slurm" in done.stderr


def test_settings_are_checked_before_anything_is_submitted(programs: Path) -> None:
    program(programs, "sinfo", "printf 'gpu\\nshort\\ngpu\\n'")
    submitter(settings(partition="short,gpu")).check([train()])
    with pytest.raises(
        UseError, match=r"slurm\.partition=gpus: no such partition; did you mean 'gpu'\? available: gpu, short"
    ):
        submitter(settings(partition="gpus")).check([train()])
    with pytest.raises(UseError, match=r"slurm\.time_min=x"):
        submitter(settings(time_min="x")).check([train()])
    with pytest.raises(UseError, match=r"train\.hostfile=hosts and --executor slurm"):
        submitter().check([node("wide", kind="train", ranks=2, runtime={"train.hostfile": "hosts"})])
    program(programs, "sinfo", "echo 'slurm_load_partitions: Unable to contact slurm controller' >&2; exit 1")
    with pytest.raises(UseError, match=r"Unable to contact slurm controller; is Slurm's controller up"):
        submitter().check([train()])


def test_submitit_may_be_missing(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "sinfo", "echo gpu")
    monkeypatch.setitem(sys.modules, "submitit", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "submitit" else ...)
    with pytest.raises(UseError, match=r"--executor slurm needs submitit: pip install 'svi-harness\[slurm\]'"):
        submitter().check([train()])
