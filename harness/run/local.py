"""Where stages run: on this machine, a few side by side."""

import multiprocessing
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Protocol, Self

from filelock import Timeout

from harness.core.gpus import VISIBLE, visible_gpus
from harness.core.graph import Node
from harness.core.job import StageError
from harness.core.store import ERROR, LOG, Store
from harness.run.leash import end_trees, leashed
from harness.run.worker import HARNESS_PID, JOB, run_job, settle, write_job

# Stages run side by side: more threads than one in each would only make them wait for each other.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


class Executor(Protocol):
    """Runs single stages; `slots` says how many processes side by side."""

    slots: int

    def submit(self, store: Store, node: Node) -> Future[None]:
        """Start the stage; the future fails with StageError, or another error with a message for people."""

    def close(self) -> None:
        """Let go of what still runs: this machine's processes are ended and can be resumed, a cluster's jobs go on."""


class Local:
    """This machine: persistent worker processes, so that heavy imports happen once in each; to be used in a `with`.

    A stage with a launcher gets processes of its own. A worker that dies fails only the stage it ran. Where there are GPUs,
    each stage has as many to itself as it has ranks, and a process of its own: with that ends whatever it held on the card.
    """

    def __init__(self, jobs: int, facts: Mapping[str, str] | None = None) -> None:
        """`jobs` stages side by side; `facts`, such as package versions, go into every manifest."""
        self._cards = visible_gpus()
        self._card_count = len(self._cards)
        self.slots = jobs = min(jobs, self._card_count) if self._card_count else jobs
        self._facts = dict(facts or {})
        self._threads = ThreadPoolExecutor(jobs, thread_name_prefix="stage")
        self._idle: list[_Worker] = []
        self._busy: set[_Worker | _Launched] = set()
        self._guard = threading.Lock()
        self._freed = threading.Condition(self._guard)  # told whenever a stage gives its cards back
        self._closed = False
        # Workers inherit these; they must be set before a library is loaded there.
        os.environ[HARNESS_PID] = f"{socket.gethostname()}:{os.getpid()}"
        for name in THREADS:
            os.environ.setdefault(name, "1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, store: Store, node: Node) -> Future[None]:
        """Run the stage on a free worker, or through its launcher."""
        return self._threads.submit(self._launch if node.launcher else self._call, store, node)

    def close(self) -> None:
        """End all workers, also in the middle of a stage: what it has saved stays, and it can be resumed."""
        with self._guard:
            self._closed = True
            self._freed.notify_all()
            launched = [one for one in self._busy if isinstance(one, _Launched)]
            workers = [*self._idle, *(one for one in self._busy if isinstance(one, _Worker))]
            self._idle = []
        for one in launched:
            one.let_go()
        end_trees(worker.pid for worker in workers)
        self._threads.shutdown(cancel_futures=True)
        for worker in workers:
            worker.pool.shutdown()

    @contextmanager
    def _own_cards(self, node: Node) -> Iterator[dict[str, str]]:
        """The environment that shows a stage its cards alone, once they are free: trials of a sweep have a schedule each."""
        if not self._card_count:
            yield {}
            return
        count = min(node.ranks, self._card_count)
        with self._freed:
            self._freed.wait_for(lambda: self._closed or len(self._cards) >= count)
            self._refuse_if_closed()
            mine, self._cards = self._cards[:count], self._cards[count:]
        try:
            yield {VISIBLE: ",".join(mine)} if count == node.ranks else {}  # of more ranks other machines have theirs
        finally:
            with self._freed:
                self._cards += mine
                self._freed.notify_all()

    def _call(self, store: Store, node: Node) -> None:
        with self._own_cards(node) as environment:
            self._run(store, node, environment)

    def _run(self, store: Store, node: Node, environment: dict[str, str]) -> None:
        worker = self._take(environment)
        lost = False
        try:
            worker.pool.submit(run_job, str(store.root), node.fields(), self._facts).result()
        except BrokenProcessPool:
            lost = True
            log = store.partial(node.kind, node.signature) / LOG
            raise StageError(
                f"its process was ended from outside, perhaps for want of memory (see {log}); run again to resume"
            ) from None
        finally:
            with self._guard:
                self._busy.discard(worker)
                if not lost and not self._card_count:
                    self._idle.append(worker)
            if self._card_count:
                worker.pool.shutdown()

    def _take(self, environment: dict[str, str]) -> "_Worker":
        with self._guard:
            self._refuse_if_closed()
            worker = self._idle.pop() if self._idle else None
        worker = worker or _Worker(environment)  # takes a moment: not under the guard
        with self._guard:
            if self._closed:
                end_trees([worker.pid])
            self._refuse_if_closed()
            self._busy.add(worker)
        return worker

    def _refuse_if_closed(self) -> None:
        if self._closed:
            raise StageError("the command was interrupted")

    def _launch(self, store: Store, node: Node) -> None:
        with self._own_cards(node) as environment:
            self._launch_on(store, node, {**os.environ, **environment})

    def _launch_on(self, store: Store, node: Node, environment: dict[str, str]) -> None:
        folder = self._prepare(store, node)
        if folder is None:
            return
        (store.root / "jobs").mkdir(exist_ok=True)
        with (folder / LOG).open("ab") as log, tempfile.TemporaryDirectory(dir=store.root / "jobs") as meeting:
            job = Path(meeting) / JOB
            write_job(job, str(store.root), node.fields(), self._facts)
            command = [*(node.launcher or ()), "harness.run.worker", str(job)]
            if shutil.which(command[0]) is None:
                raise StageError(f"cannot start {command[0]!r}: there is no such program")
            with self._guard:
                self._refuse_if_closed()
                launched = _Launched(command, log, environment)
                self._busy.add(launched)
            code = launched.wait()
            with self._guard:
                self._busy.discard(launched)
        if code or not store.done(node.kind, node.signature):
            note = store.note(node.kind, node.signature, ERROR)
            raise StageError(note["message"] if note else f"it ended with exit code {code} (see {folder / LOG})")

    def _prepare(self, store: Store, node: Node) -> Path | None:
        """The partial folder, once no other process works in it; None if the stage is done by then."""
        lock = store.lock(node.kind, node.signature)
        while True:
            with self._guard:
                self._refuse_if_closed()
            with suppress(Timeout), lock.acquire(timeout=1.0):
                done = store.done(node.kind, node.signature)
                return None if done else store.begin(node.kind, node.signature)


class _Worker:
    """One process that runs stages one after another."""

    def __init__(self, environment: dict[str, str]) -> None:
        # A pool of one: a pool of many would lose all its running stages with one process.
        self.pool = ProcessPoolExecutor(
            1, multiprocessing.get_context("spawn"), initializer=settle, initargs=(environment,)
        )
        try:
            self.pid = self.pool.submit(os.getpid).result()
        except BrokenProcessPool:
            raise StageError("a worker process could not be started; what it printed is above") from None


class _Launched:
    """A launcher on a leash: it and its ranks end when they are let go, or when this process ends in any way."""

    def __init__(self, command: list[str], log: IO[bytes], environment: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            leashed(command), stdin=subprocess.PIPE, stdout=log, stderr=log, env=environment
        )

    def let_go(self) -> None:
        if self._process.stdin is not None:
            self._process.stdin.close()

    def wait(self) -> int:
        """Until it has ended; its exit code."""
        code = self._process.wait()
        self.let_go()
        return code
