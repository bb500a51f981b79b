"""What a Slurm job runs: submitit loads it in every task, and it starts the stage's worker in a process of its own.

The worker may be in a long call of a library when a signal comes; the process that waits for it answers at once.
"""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.core.job import StageError
from harness.run.leash import end_trees
from harness.run.local import THREADS
from harness.run.worker import HARNESS_PID, JOB, write_job

ENDED = 3600.0  # seconds: longer than clusters leave between a preempted job's SIGTERM and its end


class Work:
    """One stage; submitit pickles it, calls it in every rank, and asks for its `checkpoint` before it requeues the job."""

    def __init__(
        self, root: str, fields: Mapping[str, Any], facts: Mapping[str, str], folder: str, wrap: Sequence[str] = ()
    ) -> None:
        """Of the stage `Node(**fields)` in the store at `root`; the ranks of an attempt meet below `folder`. `wrap`: the words
        before its worker's command, such as those that run it in a container."""
        self.root, self.fields, self.facts, self.folder = root, dict(fields), dict(facts), folder
        self.wrap = tuple(wrap)

    def __call__(self) -> None:
        """Run the stage. Raises StageError when it failed; why is in error.json of its partial folder."""
        terminated = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: terminated.set())
        environment = {**dict.fromkeys(THREADS, "1"), **os.environ}  # as on one machine: the same last digits
        environment[HARNESS_PID] = f"{socket.gethostname()}:{os.getpid()}"
        command = [*self.wrap, sys.executable, "-m", "harness.run.worker", str(self._meet())]
        try:
            child = subprocess.Popen(command, env=environment, preexec_fn=_ignore_warning)
        except FileNotFoundError as error:
            raise StageError(
                f"cannot start {command[0]!r} on {socket.gethostname()}: there is no such program"
            ) from error
        try:
            code = child.wait()
        finally:
            end_trees([child.pid])
        if code < 0 and terminated.wait(1.0):
            # Preempted, or cancelled. A job that ended by itself would not be requeued: what becomes of it is Slurm's to say.
            time.sleep(ENDED)
        if code:
            how = f"was killed by signal {-code}, perhaps for want of memory" if code < 0 else f"ended with {code}"
            raise StageError(f"the stage's process {how}")

    def checkpoint(self) -> Any:
        """Itself: a stage goes on from its partial folder."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)

    def _meet(self) -> Path:
        """The job's file for harness.run.worker, in a folder that all ranks of this attempt, and no others, know."""
        attempt = f"{os.environ['SLURM_JOB_ID']}-{os.environ.get('SLURM_RESTART_COUNT', '0')}"
        job = Path(self.folder) / attempt / JOB
        if os.environ.get("SLURM_PROCID", "0") == "0":
            job.parent.mkdir(parents=True, exist_ok=True)
            facts = {**self.facts, "slurm.job": os.environ["SLURM_JOB_ID"], "slurm.host": socket.gethostname()}
            write_job(job, self.root, self.fields, facts)
        while not job.is_file():
            time.sleep(0.1)
        return job


def _ignore_warning() -> None:
    """Slurm's warning before a time limit goes to all processes of a job; the one that waits answers it."""
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
