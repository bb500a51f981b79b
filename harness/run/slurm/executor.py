"""Where stages run: as jobs of a Slurm cluster. They outlive the command; the same command picks them up."""

import shlex
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Self

from harness.core.graph import Node
from harness.core.job import StageError
from harness.core.store import Store
from harness.run.slurm import queue
from harness.run.slurm.queue import QueueError, Seen
from harness.run.slurm.records import JobRecord, record_of
from harness.run.slurm.resources import needs
from harness.run.slurm.submission import Submitter, queue_lock
from harness.run.slurm.verdict import why

TICK = 0.5  # seconds between looks at the store
GATHER = 0.2  # seconds in which stages that are ready together become one array
LAG = 30.0  # seconds until a file that a node wrote is seen here: shared disks are slow with news
CLOSING = 15.0  # seconds that a submission in progress has to end when the command does
WAITING = 60.0  # seconds that a job may wait before it is said why


@dataclass
class Stage:
    """A stage that a schedule wants, or several that share its future; `record` once there is a job for it."""

    store: Store
    node: Node
    future: Future[None]
    record: JobRecord | None = None
    since: float = 0.0  # when the job came to the state below, monotonic
    state: str = ""
    lost: int = 0  # jobs that the cluster ended

    @property
    def done(self) -> bool:
        """Whether its artifact is there."""
        return self.store.done(self.node.kind, self.node.signature)


class Slurm:
    """Jobs of a Slurm cluster; to be used in a `with`. `close` leaves them alone: nothing is cancelled but by `harness cancel`."""

    def __init__(self, submitter: Submitter) -> None:
        """One thread submits, and looks after all jobs with one squeue at a time."""
        self._submitter, self._settings = submitter, submitter.settings
        self.slots = self._settings.at_once
        self._new: list[Stage] = []
        self._stages: list[Stage] = []
        self._said: set[tuple[str, str]] = set()
        self._looked = float("-inf")
        self._guard = threading.Lock()
        self._wake, self._closed = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._work, name="slurm", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def submit(self, store: Store, node: Node) -> Future[None]:
        """A job for the stage, in one array with others of its kind; or the job that an earlier command left.

        Who asks for a stage that another thread waits for, as trials of a sweep do, is given the same future: it is sent once.
        """
        stage = Stage(store, node, Future())
        stage.future.set_running_or_notify_cancel()
        with self._guard:
            if not self._closed.is_set():
                for other in (*self._stages, *self._new):
                    if other.node.signature == node.signature and not other.future.done():
                        return other.future
                self._new.append(stage)
                self._wake.set()
                return stage.future
        stage.future.set_exception(StageError("the command was interrupted"))
        return stage.future

    def close(self) -> None:
        """Let go of the jobs: they go on, and the same command picks them up."""
        if self._closed.is_set():
            return
        with self._guard:
            self._closed.set()
        self._wake.set()
        self._thread.join(CLOSING)
        left = [stage for stage in self._stages if stage.record is not None and stage.record.job]
        if left:
            ids = ", ".join(str(stage.record.job) for stage in left if stage.record)
            root, name = left[0].store.root, self._submitter.experiment
            self._submitter.say(f"Slurm jobs go on: {ids}. The same command picks them up; to end them:")
            self._submitter.say(f"harness cancel {shlex.quote(name)} --store {root}")
        with self._guard:
            self._stages, self._new = [*self._stages, *self._new], []
        self._fail(self._stages, StageError("the command was interrupted"))  # whoever waits for them may end

    def _work(self) -> None:
        while not self._closed.is_set():
            if self._wake.wait(TICK):
                self._wake.clear()
                self._closed.wait(GATHER)
            with self._guard:  # `submit` looks for each stage in both lists
                fresh, self._new = self._new, []
                self._stages += fresh
            try:
                self._tick(at_once=bool(fresh))
            except QueueError as error:  # nothing is known, so nothing is concluded
                self._say_once(("", str(error)), f"{error}; trying again")
            except Exception as error:
                self._fail(self._stages, error)

    def _tick(self, at_once: bool) -> None:
        for stage in self._stages:
            if stage.done:
                stage.future.set_result(None)
        self._drop_ended()
        if not self._stages or (time.monotonic() < self._looked + self._settings.poll_s and not at_once):
            return
        self._looked = time.monotonic()
        followed = [stage for stage in self._stages if stage.record is not None]
        if len(followed) == len(self._stages):
            self._follow(followed, queue.look())
            return
        with queue_lock(self._stages[0].store):
            jobs = queue.look()
            self._find_jobs(jobs)
        self._follow(followed, jobs)

    def _find_jobs(self, jobs: Mapping[str, Seen]) -> None:
        """Pick up what is in the queue already, submit the rest."""
        ready: list[Stage] = []
        for stage in (stage for stage in self._stages if stage.record is None and not stage.done):
            record = record_of(stage.store, stage.node.kind, stage.node.signature)
            seen = record.seen(jobs) if record else None
            if record is None or seen is None or not seen.active:
                ready.append(stage)
            elif seen.state != "COMPLETING":  # else it will be known soon whether it ends or is requeued
                stage.record = self._submitter.claim(stage.store, record, seen.job)
                self._submitter.say(f"Slurm job {seen.job} goes on: {stage.node.name}")
        for nodes in self._submitter.group([stage.node for stage in ready]):
            if not self._closed.is_set():
                self._send([next(stage for stage in ready if stage.node is node) for node in nodes])

    def _send(self, stages: Sequence[Stage]) -> None:
        try:
            records = self._submitter.send(stages[0].store, [stage.node for stage in stages])
        except StageError as error:
            self._fail(stages, error)
            return
        for stage, record in zip(stages, records, strict=True):
            stage.record, stage.state = record, ""

    def _follow(self, stages: Sequence[Stage], jobs: Mapping[str, Seen]) -> None:
        for stage in stages:
            assert stage.record is not None
            seen = stage.record.seen(jobs)
            state = seen.state if seen else queue.accounted(str(stage.record.job))
            if state != stage.state:
                stage.state, stage.since = state, time.monotonic()
            if stage.done:  # since the last tick, or by another command
                continue
            if state in queue.ACTIVE:
                self._say_why_it_waits(stage, seen)
            elif state in queue.LOST and stage.lost < self._settings.requeues:
                self._submitter.say(f"Slurm job {stage.record.job} was ended by the cluster ({state}): submitted again")
                stage.record, stage.lost = None, stage.lost + 1
            elif state not in ("COMPLETED", "UNKNOWN") or time.monotonic() > stage.since + LAG:
                asked = needs(stage.node.kind, self._settings, self._submitter.embedded)
                self._fail([stage], StageError(why(stage.record, state, asked, stage.store)))

    def _say_why_it_waits(self, stage: Stage, seen: Seen | None) -> None:
        if seen is None or seen.state != "PENDING":
            return
        if seen.reason not in queue.ORDINARY or time.monotonic() > stage.since + WAITING:
            once = (seen.job.partition("_")[0], seen.reason)  # for all of an array
            self._say_once(once, f"Slurm job {seen.job} waits ({seen.reason}): {stage.node.name}")

    def _say_once(self, what: tuple[str, str], line: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._submitter.say(line)

    def _fail(self, stages: Sequence[Stage], error: Exception) -> None:
        for stage in stages:
            if not stage.future.done():
                stage.future.set_exception(error)
        self._drop_ended()

    def _drop_ended(self) -> None:
        self._stages = [stage for stage in self._stages if not stage.future.done()]
