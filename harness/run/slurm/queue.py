"""What Slurm says of jobs, and what it is told: squeue, sacct, scancel and sinfo."""

import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.core.errors import UseError

PATIENCE = 60.0  # seconds that a command of Slurm may take: a busy controller is slow
FORMAT = "%i|%T|%r|%N|%j"
# A job in one of these states may still run (squeue's man page, job state codes).
ACTIVE = frozenset(
    (
        *(
            "PENDING",
            "RUNNING",
            "CONFIGURING",
            "COMPLETING",
            "SUSPENDED",
            "STOPPED",
            "RESIZING",
            "SIGNALING",
            "STAGE_OUT",
        ),
        *("REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "SPECIAL_EXIT", "RESV_DEL_HOLD"),
    )
)
# Ended by the cluster, not by its own doing, where Slurm itself did not requeue it.
LOST = frozenset(("PREEMPTED", "NODE_FAIL", "BOOT_FAIL", "REVOKED"))
# Why a job waits that will start by and by.
ORDINARY = frozenset(("None", "Priority", "Resources", "Dependency", "BeginTime", "Cleaning", "JobArrayTaskLimit"))


class QueueError(Exception):
    """Slurm did not answer; one line. What it knows is not known: to be asked again."""


@dataclass(frozen=True)
class Seen:
    """A job in the queue: a task of an array has the id ARRAY_INDEX; `node` is empty until it runs."""

    job: str
    state: str
    reason: str
    node: str
    name: str

    @property
    def active(self) -> bool:
        """Whether it may still run."""
        return self.state in ACTIVE


def look() -> Mapping[str, Seen]:
    """This user's jobs by id: those of the queue and those that ended in the last minutes. Raises QueueError."""
    return read(ask("squeue", "--me", "--array", "--states=all", "--noheader", f"--format={FORMAT}"))


def read(text: str) -> dict[str, Seen]:
    """Lines of squeue in FORMAT."""
    rows = (line.strip().split("|") for line in text.splitlines() if line.count("|") == FORMAT.count("|"))
    return {row[0]: Seen(*row) for row in rows}


def accounted(job: str) -> str:
    """The state of a job that the queue has forgotten, from the accounting; UNKNOWN where there is none."""
    try:
        said = ask("sacct", "--noheader", "--allocations", "--parsable2", "--format=State", f"--jobs={job}").split()
    except QueueError:
        return "UNKNOWN"
    return said[0] if said else "UNKNOWN"


def cancel(jobs: Iterable[str]) -> None:
    """scancel. Raises QueueError."""
    ask("scancel", *jobs)


def partitions() -> list[str]:
    """Of the cluster. Raises QueueError."""
    return list(dict.fromkeys(ask("sinfo", "--noheader", "--format=%R").split()))


def ask(*command: str) -> str:
    """What the command prints. Raises QueueError when it fails, UseError when it is not installed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    except FileNotFoundError as error:
        raise UseError(f"no {command[0]} on PATH: this machine reaches no Slurm; use one that does") from error
    except subprocess.TimeoutExpired as error:
        raise QueueError(f"{command[0]} did not answer in {PATIENCE:.0f} s") from error
    if done.returncode:
        raise QueueError(f"{command[0]}: {one_line(done.stderr) or f'exit code {done.returncode}'}")
    return done.stdout


def one_line(text: str) -> str:
    """What a command of Slurm complains of, without its own name before each line."""
    lines = [line.partition("error: ")[2] or line for line in text.splitlines() if line.strip()]
    return "; ".join(dict.fromkeys(line.strip() for line in lines))
