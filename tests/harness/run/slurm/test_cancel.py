"""What `harness cancel` takes for a name."""

from pathlib import Path

import pytest

from harness.core.errors import UseError
from harness.core.store import Store
from harness.run.slurm.cancel import cancel_jobs
from harness.run.slurm.records import JobRecord
from tests.harness.run.slurm.fakes import SQUEUE, program


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


def test_a_job_is_shared_with_experiments_that_are_not_named(store: Store, programs: Path) -> None:
    """What two experiments want ends with both; what a third one wants too is left, and said once, unless it is named."""
    program(programs, "squeue", f"cat <<END\n{SQUEUE}END")
    program(programs, "scancel", 'echo "$@" >> "$(dirname "$0")/cancelled"')
    JobRecord("train", "0" * 64, "full", "train-aaaa", None, "12", ("a", "b")).write(store)
    third = JobRecord("score", "1" * 64, "full", "score-bbbb", 1, "13_1", ("a", "b", "c"))
    third.write(store)
    said: list[str] = []
    cancel_jobs(store, ["a", "b"], said.append)
    assert (programs / "cancelled").read_text() == "12\n"
    assert said == [
        f"left: Slurm job 13_1, {third.stage}, which c wants too; name the stage to cancel it all the same",
        "cancelled: Slurm job 12, train full",
    ]
    cancel_jobs(store, ["a", third.stage], said.append)
    assert [line.partition(", ")[0] for line in said[2:]] == ["left: Slurm job 12", "cancelled: Slurm job 13_1"]
