"""How the executor follows jobs, by what Slurm says of them."""

import re
import time
from pathlib import Path

import pytest

from harness.core.job import StageError
from harness.core.store import Store
from harness.run.schedule import Running, run
from harness.run.slurm.executor import Slurm
from harness.run.slurm.records import record_of
from tests.harness.run.slurm.fakes import program, submitter
from tests.harness.run.stage_functions import graph, node


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
        ("TIMEOUT", "", r"ran out of time \(120 minutes\) and was not requeued"),
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


def test_whoever_waits_is_told_when_the_command_lets_go(store: Store, programs: Path) -> None:
    """A sweep's threads would wait for ever."""
    program(programs, "sbatch", "echo Submitted batch job 77")
    executor = Slurm(submitter())
    with executor:
        waits = executor.submit(store, node("one"))
    for future in (waits, executor.submit(store, node("other"))):
        with pytest.raises(StageError, match="the command was interrupted"):
            future.result(timeout=60)


def test_a_stage_that_several_want_is_one_job(store: Store, programs: Path) -> None:
    """Trials of a sweep share an executor and a latent cache: two begin together, a third one while the job runs."""
    name, said = programs / "name", list[str]()
    program(programs, "sbatch", f"grep -om1 'make-[0-9a-f]*' \"$1\" > {name}; echo Submitted batch job 77")
    program(programs, "squeue", f'[ -e {name} ] && echo "77|RUNNING|None|n1|$(cat {name})"; exit 0')
    one = node("one")
    with Slurm(submitter(said=said)) as executor:
        waiting = [executor.submit(store, node("one")) for _ in range(2)]
        deadline = time.monotonic() + 60
        while not said:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        waiting.append(executor.submit(store, node("one")))
        time.sleep(1)  # ticks in which it would be picked up, or sent again
        store.begin("make", one.signature)
        store.commit("make", one.signature, {"kind": "make", "signature": one.signature, "created": ""})
        for future in waiting:
            future.result(timeout=60)
    assert [line.partition(";")[0] for line in said] == ["Slurm job 77: make one"]
