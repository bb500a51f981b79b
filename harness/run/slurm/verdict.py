"""Why a stage is not done whose job has ended, for people."""

import re
from pathlib import Path

from harness.core.store import ERROR, Store
from harness.run.slurm.records import FOLDER, JobRecord
from harness.run.slurm.resources import Needs

# What Python prints last of an error; submitit and the process that waits for the stage print others after it.
RAISED = re.compile(r"(?!harness\.core\.job\.StageError|submitit)[\w.]*(Error|Exception|Exit)\b.*")
AGAIN = "the same command goes on with it"


def why(record: JobRecord, state: str, asked: Needs, store: Store) -> str:
    """One line of a job that ended in this state of Slurm's; the stage's own message where it left one."""
    job = f"Slurm job {record.job}"
    if state == "CANCELLED":
        return f"cancelled outside this command: {job}; {AGAIN}"
    if state in ("TIMEOUT", "DEADLINE"):
        return f"{job} ran out of time ({asked.time_min} minutes, slurm.time_min) and was not requeued; {AGAIN}"
    line, log = _last_words(store.root / FOLDER / record.name, str(record.job))
    if state == "OUT_OF_MEMORY":
        return f"{job} ran out of the {asked.mem_gb} GB a rank that it asked for; raise slurm.mem_gb (see {log})"
    if state == "UNKNOWN":
        return f"Slurm no longer knows job {record.job}, and it left no result (see {log}); {AGAIN}"
    if state == "COMPLETED":
        question = "is the store on a disk that this machine and the nodes share?"
        return f"{job} says that it completed, but its result is not in {store.root}; {question}"
    note = store.note(record.kind, record.signature, ERROR)
    return str(note["message"]) if note else f"{job} ended as {state}: {line} (see {log})"


def _last_words(folder: Path, job: str) -> tuple[str, Path]:
    """The last error in any rank's log, else the last line of the first rank's, else what srun said first; and that log."""
    logs = {log: _lines(log) for log in sorted(folder.glob(f"{job}_*_log.out"))}
    for log, lines in logs.items():
        if raised := [line for line in lines if RAISED.match(line)]:
            return raised[-1], log
    first = folder / f"{job}_0_log.out"
    lines = logs.get(first, [])
    own = [line for line in lines if not line.startswith(("srun:", "slurmstepd:"))]
    return (own[-1:] or lines[:1] or ["it printed nothing"])[0], first


def _lines(log: Path) -> list[str]:
    return [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
