"""Runs one stage, in a process that is not the command's own: a pool worker, or `python -m harness.run.worker JOB.json`."""

import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import psutil

from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.graph import Node
from harness.core.job import Job, StageError
from harness.core.store import ELAPSED, ERROR, LABEL, LOG, PROGRESS, Store
from harness.core.use import in_use
from harness.run.leash import end_descendants

HARNESS_PID = "HARNESS_PID"  # environment variable: the command that a worker belongs to
JOB = "job.json"
VERDICT = "verdict.json"  # rank 0 says to the others whether there is work
PROGRESS_EVERY = 0.5  # seconds between writes of progress.json
LOOK_EVERY = 0.5  # seconds between looks whether the command still lives


def run_job(
    root: str,
    fields: Mapping[str, Any],
    facts: Mapping[str, str],
    meeting: Path | None = None,
    now: Callable[[], float] = time.monotonic,
) -> None:
    """Run the stage `Node(**fields)` in the store at `root` unless it is done; waits while another process runs it.

    `facts` go into the manifest. `meeting` is the folder where this rank meets the others of a launched stage: it tells
    them whether there is work, and commits after all of them. `now` is the clock that seconds are taken from. Raises
    StageError when the stage fails; why is in error.json, its output in log.txt of the partial folder.
    """
    store, node = Store(Path(root)), Node(**fields)
    with in_use(store.locks), store.lock(node.kind, node.signature):
        needed = not store.done(node.kind, node.signature)
        folder = store.begin(node.kind, node.signature) if needed else None
        if meeting is not None:
            write_json(meeting / VERDICT, {"needed": needed})
        if folder is not None:
            _attempt(store, node, folder, facts, meeting, _Clock(folder, now))


def write_job(file: Path, root: str, fields: Mapping[str, Any], facts: Mapping[str, str]) -> None:
    """What `python -m harness.run.worker FILE` reads: the arguments of `run_job`."""
    write_json(file, {"root": root, "node": dict(fields), "facts": dict(facts)})


def settle(environment: Mapping[str, str]) -> None:
    """Make this process a worker: Ctrl-C is for the command, which ends its workers; when it is gone, they end.

    `environment` must be set before a library looks at it, such as which GPUs there are.
    """
    os.environ.update(environment)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    command = multiprocessing.parent_process()
    assert command is not None  # a pool's process has one
    threading.Thread(target=_end_after, args=(command.join,), daemon=True).start()


def _end_after(command_is_gone: Callable[[], None]) -> None:
    command_is_gone()
    end_descendants()  # such as VBench's own package, in an environment of its own
    os._exit(1)


def watch_command() -> None:
    """End this rank soon after the command that it works for is gone, however that ended."""
    host, _, pid = os.environ.get(HARNESS_PID, "").rpartition(":")
    if host != socket.gethostname():  # started by hand, or by srun on another machine, which ends its tasks itself
        return
    try:
        command = psutil.Process(int(pid))
    except psutil.NoSuchProcess:
        os._exit(1)
    threading.Thread(target=_end_after, args=(partial(_wait_while_it_lives, command),), daemon=True).start()


def _wait_while_it_lives(command: psutil.Process) -> None:
    while _lives(command):
        time.sleep(LOOK_EVERY)


def _lives(process: psutil.Process) -> bool:
    try:
        # is_running() compares the time of creation too, so a later process with the same id does not count.
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _attempt(
    store: Store, node: Node, folder: Path, facts: Mapping[str, str], meeting: Path | None, clock: "_Clock"
) -> None:
    write_json(folder / LABEL, {"label": node.label, "upstream": node.upstream})

    def others() -> None:
        if meeting is not None:
            _wait_for(*(meeting / f"rank-{rank}" for rank in range(1, node.ranks)))

    try:
        with _output_to(folder / LOG):
            _function(node.target)(_job(store, node, folder, clock.progress, 0, others))
        others()
    except (Exception, SystemExit) as error:
        message = _one_line(error)
        report = {"kind": type(error).__name__, "message": message, "traceback": traceback.format_exc()}
        write_json(folder / ERROR, report)
        raise StageError(message) from None
    finally:
        clock.save()
    manifest = {
        "kind": node.kind,
        "version": node.version,
        "signature": node.signature,
        "label": node.label,
        "identity": node.identity,
        "upstream": node.upstream,
        "seconds": round(clock.seconds(), 3),
        "fixed": clock.fixed(),
        "work": node.work,
        "created": datetime.now(UTC).isoformat(),
        "facts": dict(facts),
    }
    store.commit(node.kind, node.signature, manifest)


class _Clock:
    """Working time of a stage over all its attempts, and its progress."""

    def __init__(self, folder: Path, now: Callable[[], float]) -> None:
        self._folder, self._now = folder, now
        earlier = json.loads((folder / ELAPSED).read_text())["seconds"] if (folder / ELAPSED).is_file() else 0.0
        self._start = now() - float(earlier)
        self._written = -PROGRESS_EVERY
        self._first: tuple[int, float] | None = None  # units done in this attempt when the first was reported, and when
        self._pace: float | None = None  # seconds a unit since then: without what was loaded before
        self._units, self._unit = 0, ""

    def seconds(self) -> float:
        return self._now() - self._start

    def fixed(self) -> float | None:
        """The seconds that more units would not have added; None where fewer than two were counted."""
        return None if self._pace is None else round(max(0.0, self.seconds() - self._pace * self._units), 3)

    def save(self) -> None:
        write_json(self._folder / ELAPSED, {"seconds": self.seconds()})

    def progress(self, done: int, total: int, unit: str, then: str) -> None:
        self._count(done, total, unit)
        if self._now() - self._written >= PROGRESS_EVERY or done >= total:
            told = {"done": done, "total": total, "unit": unit, "then": then, "pace": self._pace}
            write_json(self._folder / PROGRESS, told)
            self.save()
            self._written = self._now()

    def _count(self, done: int, total: int, unit: str) -> None:
        if unit != self._unit:  # what came before, such as a codec's training, is fixed
            self._first, self._pace, self._unit = None, None, unit
        first, when = self._first or (done, self._now())
        self._first, self._units = (first, when), total
        if done > first:
            self._pace = (self._now() - when) / (done - first)


def _job(
    store: Store,
    node: Node,
    folder: Path,
    progress: Callable[[int, int, str, str], None],
    rank: int,
    others: Callable[[], None] = lambda: None,
) -> Job:
    def folders(upstream: Any) -> Any:
        return store.find(upstream) if isinstance(upstream, str) else [store.find(one) for one in upstream]

    inputs = {role: folders(upstream) for role, upstream in node.upstream.items()}
    return Job(
        node.kind,
        folder,
        {**node.identity, **node.runtime},
        inputs,
        progress,
        rank=rank,
        ranks=node.ranks,
        others=others,
    )


def _function(target: str) -> Callable[[Job], None]:
    module, _, name = target.partition(":")
    function: Callable[[Job], None] = getattr(import_module(module), name)
    return function


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    """Send what this process prints to the log, also from C libraries and children."""
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for number, copy in enumerate(kept, start=1):
            os.dup2(copy, number)
            os.close(copy)


def _wait_for(*files: Path) -> None:
    while not all(file.is_file() for file in files):
        time.sleep(0.1)


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return text if isinstance(error, UseError | ValueError) and text else f"{type(error).__name__}: {text}"


def main(path: Path) -> int:
    """One rank of the job in a JSON file: rank 0 locks and commits, the others only compute with it."""
    watch_command()
    job = json.loads(path.read_text())
    if job["node"]["ranks"] > 1:
        from svi.training.ranks import by_slurm  # loads torch, which not every stage needs

        os.environ.update(by_slurm(os.environ))
    rank = int(os.environ.get("RANK", "0"))
    if rank == 0:
        try:
            run_job(job["root"], job["node"], job["facts"], path.parent)
        except (StageError, UseError) as error:
            print(error, file=sys.stderr)
            return 1
        return 0
    _wait_for(path.with_name(VERDICT))
    if json.loads(path.with_name(VERDICT).read_text())["needed"]:
        store, node = Store(Path(job["root"])), Node(**job["node"])
        folder = store.partial(node.kind, node.signature)
        _function(node.target)(_job(store, node, folder, lambda *_: None, rank))
        path.with_name(f"rank-{rank}").touch()
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
