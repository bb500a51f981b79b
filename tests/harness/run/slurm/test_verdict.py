"""Why a stage is not done whose job has ended."""

import re

import pytest

from harness.core.atomic import write_json
from harness.core.store import ERROR, Store
from harness.run.slurm.records import JobRecord
from harness.run.slurm.resources import EMBEDDED
from harness.run.slurm.verdict import why


@pytest.mark.parametrize(
    ("logs", "said", "rank"),
    [
        (["srun: error: Job credential expired\nsrun: Job step aborted\n"], "srun: error: Job credential expired", 0),
        (["/bin/sh: python3: not found\nsrun: error: exit 127\n"], "/bin/sh: python3: not found", 0),
        (["working\n", "ValueError: no card\nharness.core.job.StageError: ended with 1\n"], "ValueError: no card", 1),
        (
            ["working\nharness.core.job.StageError: the stage's process was killed by signal 9\n"],
            "harness.core.job.StageError: the stage's process was killed by signal 9; if it was memory, raise slurm.mem_gb "
            "(such as slurm.mem_gb=train=8)",
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


@pytest.mark.parametrize(
    ("state", "log", "note", "said"),
    [
        (
            "TIMEOUT",
            "",
            "",
            r"ran out of time \(120 minutes\) .*; raise slurm\.time_min \(such as slurm\.time_min=train=240\)",
        ),
        (
            "FAILED",
            "submitit.core.utils.UncompletedJobError: Job not requeued because: timed-out too many times.\n",
            "",
            r"for the last time; raise slurm\.time_min .*, or slurm\.requeues",
        ),
        ("OUT_OF_MEMORY", "", "", r"raise slurm\.mem_gb \(such as slurm\.mem_gb=train=8\)"),
        ("FAILED", "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=7.0.\n", "", r"raise slurm\.mem_gb"),
        ("FAILED", "", "MemoryError: Unable to allocate 9 GiB", r"raise slurm\.mem_gb"),
    ],
)
def test_what_ran_out_names_the_setting_to_raise(state: str, log: str, note: str, said: str, store: Store) -> None:
    record = JobRecord("train", "5" * 64, "full", "train-aaaa", None, "77", ("a",))
    (store.root / "slurm" / record.name).mkdir(parents=True)
    (store.root / "slurm" / record.name / "77_0_log.out").write_text(log)
    if note:
        store.begin("train", record.signature)
        write_json(store.partial("train", record.signature) / ERROR, {"message": note})
    assert re.search(said, why(record, state, EMBEDDED, store))
