"""Jobs as `harness status` shows them."""

from pathlib import Path

import pytest

from harness.core.store import Store
from harness.run.slurm.records import JobRecord
from harness.run.slurm.status import job_states
from tests.harness.run.slurm.fakes import SQUEUE, program


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
