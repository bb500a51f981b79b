"""Why a stage is not done whose job has ended, for people."""

import re
from collections.abc import Mapping
from pathlib import Path

from harness.core.store import ERROR, Store
from harness.run.slurm.records import FOLDER, JobRecord
from harness.run.slurm.resources import Needs

# What Python prints last of an error; submitit and the process that waits for the stage print others after it.
RAISED = re.compile(r"(?!harness\.core\.job\.StageError|submitit)[\w.]*(Error|Exception|Exit)\b.*")
# What Slurm says in a job's log where a limit on memory ended a process, whatever state it gives the job.
OUT_OF_MEMORY = re.compile(r"(slurmstepd|srun): .*(oom.kill|out of memory|exceeded .*memory limit)", re.IGNORECASE)
KILLED = "was killed by signal 9"  # of harness.run.slurm.job
TOO_OFTEN = "timed-out too many times"  # submitit's words
AGAIN = "the same command goes on with it"


def why(record: JobRecord, state: str, asked: Needs, store: Store) -> str:
    """One line of a job that ended in this state of Slurm's; the stage's own message where it left one."""
    job = f"Slurm job {record.job}"
    if state == "CANCELLED":
        return f"cancelled outside this command: {job}; {AGAIN}"
    logs = {log: _lines(log) for log in sorted((store.root / FOLDER / record.name).glob(f"{record.job}_*_log.out"))}
    line, log = _last_words(logs, store.root / FOLDER / record.name / f"{record.job}_0_log.out")
    more_time = f"raise slurm.time_min (such as slurm.time_min={record.kind}={2 * asked.time_min})"
    more_memory = f"raise slurm.mem_gb (such as slurm.mem_gb={record.kind}={2 * asked.mem_gb})"
    if TOO_OFTEN in line:
        return f"{job} ran out of time ({asked.time_min} minutes an attempt) for the last time; {more_time}, or slurm.requeues"
    if state in ("TIMEOUT", "DEADLINE"):
        return f"{job} ran out of time ({asked.time_min} minutes) and was not requeued; {more_time}; {AGAIN}"
    if state == "UNKNOWN":
        return f"Slurm no longer knows job {record.job}, and it left no result (see {log}); {AGAIN}"
    if state == "COMPLETED":
        question = "is the store on a disk that this machine and the nodes share?"
        return f"{job} says that it completed, but its result is not in {store.root}; {question}"
    note = store.note(record.kind, record.signature, ERROR)
    told = "" if note is None else str(note["message"])
    limited = any(OUT_OF_MEMORY.match(line) for lines in logs.values() for line in lines)
    if state == "OUT_OF_MEMORY" or limited or told.startswith("MemoryError"):
        return f"{job} ran out of the {asked.mem_gb} GB a rank that it asked for; {more_memory} (see {log})"
    perhaps = f"; if it was memory, {more_memory}" if KILLED in line else ""
    return told or f"{job} ended as {state}: {line}{perhaps} (see {log})"


def _last_words(logs: Mapping[Path, list[str]], first: Path) -> tuple[str, Path]:
    """The last error in any rank's log, else the last line of the first rank's, else what srun said first; and that log."""
    for log, lines in logs.items():
        if raised := [line for line in lines if RAISED.match(line) or TOO_OFTEN in line]:
            return raised[-1], log
    lines = logs.get(first, [])
    own = [line for line in lines if not line.startswith(("srun:", "slurmstepd:"))]
    return (own[-1:] or lines[:1] or ["it printed nothing"])[0], first


def _lines(log: Path) -> list[str]:
    return [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
