"""Which job works on a stage: records, and what squeue says of them."""

import pytest

from harness.core.store import Store
from harness.run.slurm import queue
from harness.run.slurm.records import JobRecord, record_of, unfinished
from tests.harness.run.slurm.fakes import SQUEUE


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
