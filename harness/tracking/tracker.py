"""Mirrors the files of an experiment into MLflow from a background thread."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.core.credentials import hidden, shown
from harness.tracking.inputs import Dataset, ExperimentPage
from harness.tracking.ledger import Ledger
from harness.tracking.own import own_database
from harness.tracking.server import KEY_TAG, Server, ServerAwayError, sqlite_path
from harness.tracking.trained import TrainedModel
from harness.tracking.uploads import (
    Curve,
    Document,
    Files,
    MetricsFile,
    Params,
    Piece,
    Points,
    RunStatus,
    Status,
    Tags,
    status_in,
)

RETRY_SECONDS = 30.0
OWN = "the store's own"  # instead of a path: a store that is moved keeps its ledger
AGAIN = "run the same command again to upload"


@dataclass(frozen=True)
class RunInfo:
    """What a run shows of itself.

    `params` may be nested: they come out dotted, are written once, and are cut to MLflow's length. `config` becomes the
    artifact config.json, whole. `description` is Markdown.
    """

    name: str
    params: Mapping[str, object]
    config: Mapping[str, object]
    tags: Mapping[str, str]
    description: str


@dataclass(frozen=True)
class _Run:
    name: str
    parent: str | None
    tags: Tags


class Tracker:
    """One MLflow experiment, written to from the process that schedules stages.

    Every call returns at once: it queues a piece, and one thread uploads. What a ledger in the store says is uploaded
    already is not uploaded again, and when that is everything, MLflow is not even imported. A server that is away never
    stops the experiment: it is said once, tried again every 30 seconds, and the rest is left to the next command.

    `uri` is a resolved tracking URI (`resolve_uri`). `say` prints one plain line; it is called from the thread.
    As a context manager it also ends the runs that an exception left open: KILLED on an interrupt, else FAILED.
    A run deleted from a sqlite database is made anew by the next command; on a server, by the next that has
    something to upload to it.
    """

    def __init__(self, uri: str, store_root: Path, experiment: str, say: Callable[[str], None]) -> None:
        self._uri = uri
        self._experiment = experiment
        self._say = say
        own = sqlite_path(uri) == own_database(store_root)
        self._ledger = Ledger(store_root, OWN if own else shown(uri))
        self._server = Server(uri, store_root, experiment)
        self._runs: dict[str, _Run] = {}
        self._pieces: dict[str, dict[str, Piece]] = {}
        self._verified: set[str] = set()
        # One entry a piece: a newer version replaces the one that waits, so a server that is away costs no memory.
        self._queue: dict[tuple[str, str], Piece] = {}
        self._change = threading.Condition()
        self._closing = False
        self._seen_deleted = False
        self._said_away = False
        self._refused = 0
        self._retry_at = 0.0
        self._moved = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def parent(self, key: str, info: RunInfo) -> str:
        """Declare the run of the whole experiment; `key` tells it from others. Returns the run for the other calls.

        Declaring a run again updates its name, tags and description.
        """
        return self._declare(f"{self._experiment}/{key}", None, info)

    def child(self, parent: str, key: str, info: RunInfo) -> str:
        """Declare a run nested in `parent`, such as one variant with one seed; `key` is unique within the parent."""
        return self._declare(f"{parent}/{key}", parent, info)

    def metrics_file(self, run: str, path: Path, prefix: str = "") -> None:
        """Send the lines of a metrics.jsonl that are not sent yet; call it as often as it may have grown.

        Several files of one run need a `prefix` for the names of their metrics.
        """
        self._enqueue(run, MetricsFile(path, prefix))

    def curve(self, run: str, piece: str, metrics: Mapping[str, Points], *, identity: str, measured: float) -> None:
        """Send metrics as (step, value) pairs, once for each identity; `measured` is a fixed time (unix s), not now."""
        self._enqueue(run, Curve(piece, metrics, identity, measured))

    def artifact(self, run: str, piece: str, path: Path, to_folder: str = "", *, identity: str | None = None) -> None:
        """Upload a file, or all that a folder holds, once for each identity (None: its content) into `to_folder`."""
        self._enqueue(run, Files(piece, path, to_folder, identity))

    def dataset(self, run: str, data: Dataset) -> None:
        """Log data as an input of the run, once for each content."""
        self._enqueue(run, data)

    def model(self, run: str, trained: TrainedModel) -> None:
        """Log trained weights as a model of the run: the weights once, the card again when it tells something else."""
        self._enqueue(run, replace(trained, alone=self._ledger.lock))

    def page(self, parent: str, page: ExperimentPage) -> None:
        """Describe the MLflow experiment that the run is in."""
        self._enqueue(parent, page)

    def finish(self, run: str, status: Status, seconds: float | None = None) -> None:
        """End the run as FINISHED, FAILED or KILLED, `seconds` after its start, or now.

        One that did not finish is RUNNING again when declared again.
        """
        self._enqueue(run, RunStatus(status, seconds))

    def run_id(self, run: str) -> str | None:
        """The MLflow id of the run, None as long as it has not been made."""
        return self._ledger.run_id(run)

    def left_open(self, run_id: str) -> bool:
        """Whether this store's commands made the run with this MLflow id, and none of them has sent how it ended."""
        self._ledger.refresh()
        marks = self._ledger.marks_of(run_id)
        return marks is not None and status_in(marks.get("status")) in ("", "RUNNING")

    def close(self, wait_s: float = 60.0) -> int:
        """Upload the rest, unless the server is away or nothing moves for `wait_s`. Returns the number left out."""
        with self._change:
            self._closing = True
            self._moved = time.monotonic()
            self._change.notify()
        while self._thread.is_alive() and time.monotonic() - self._moved < wait_s:
            self._thread.join(timeout=0.2)
        waiting = len(self._queue)
        if waiting and not self._said_away:
            self._say(f"tracking: {waiting} uploads to {shown(self._uri)} are not finished; {AGAIN}")
        elif self._refused > 1:
            self._say(f"tracking: {self._refused} uploads to {shown(self._uri)} failed in all; {AGAIN}")
        return waiting + self._refused

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
            return
        for run, pieces in self._pieces.items():
            ended = isinstance(last := pieces.get("status"), RunStatus) and last.status != "RUNNING"
            if not ended and status_in(self._ledger.mark(run, "status")) != "FINISHED":
                self.finish(run, "FAILED" if isinstance(error, Exception) else "KILLED")
        self.close(wait_s=10.0)

    def _declare(self, run: str, parent: str | None, info: RunInfo) -> str:
        own = {KEY_TAG: run, "mlflow.runName": info.name, "mlflow.note.content": info.description}
        tags = Tags({**info.tags, **own}, lambda: self._ledger.run_id(parent) if parent else None)
        with self._change:
            self._runs[run] = _Run(info.name, parent, tags)
            self._pieces.setdefault(run, {})
        for piece in (tags, Params(info.params), Document("config.json", info.config)):
            self._enqueue(run, piece)
        if status_in(self._ledger.mark(run, "status")) in ("FAILED", "KILLED"):
            self._enqueue(run, RunStatus("RUNNING"))
        return run

    def _enqueue(self, run: str, piece: Piece) -> None:
        with self._change:
            self._pieces[run][piece.name] = piece
            self._queue[run, piece.name] = piece
            self._change.notify()

    def _enqueue_again(self, run: str) -> None:
        """A run made anew has none of the pieces, and its children name a parent that is gone."""
        with self._change:
            again = {(run, name): piece for name, piece in self._pieces[run].items()}
            again |= {(key, "tags"): child.tags for key, child in self._runs.items() if child.parent == run}
            for key, piece in again.items():
                self._queue.setdefault(key, piece)

    def _work(self) -> None:
        while (key := self._next()) is not None:
            run, name = key
            piece = self._queue[key]
            try:
                self._upload_again(run, piece)
            except ServerAwayError as error:
                self._postpone(str(error))
                continue
            except Exception as error:  # whatever MLflow raises: tracking reports it and never ends the experiment
                if reason := self._server.fault(error):
                    self._postpone(reason)
                    continue
                self._report_refused(run, name, error)
            with self._change:
                self._moved = time.monotonic()
                if self._queue[key] is piece:
                    del self._queue[key]

    def _next(self) -> tuple[str, str] | None:
        """The first key in the queue, waited for; None when there is nothing more to do."""
        with self._change:
            while True:
                pause = self._retry_at - time.monotonic()
                if self._queue and pause <= 0:
                    return next(iter(self._queue))
                if self._closing:
                    return None
                self._change.wait(pause if self._queue else None)

    def _upload_again(self, run: str, piece: Piece) -> None:
        """Upload; commands that share a server may meet at the same row, which each can write a moment later."""
        for pause in (0.1, 0.5, 2.0):
            try:
                return self._upload(run, piece)
            except Exception as error:
                if not self._server.conflict(error):
                    raise
                time.sleep(pause)
        return self._upload(run, piece)

    def _upload(self, run: str, piece: Piece) -> None:
        if not self._seen_deleted:
            if deleted := self._server.deleted(self._ledger.run_ids()):
                self._ledger.forget(deleted)
            self._seen_deleted = True
        if not piece.pending(self._ledger.mark(run, piece.name)):
            return
        run_id = self._find_run(run)
        for mark in piece.send(self._server.client(), run_id, self._ledger.mark(run, piece.name)):
            self._ledger.set_mark(run, run_id, piece.name, mark)
            self._moved = time.monotonic()

    def _find_run(self, run: str) -> str:
        """The MLflow id of the run, which exists; found by its tag or made where the ledger does not know it."""
        known = self._ledger.run_id(run)
        if known is not None and run in self._verified:
            return known
        parent = self._runs[run].parent
        if parent is not None:
            self._find_run(parent)
        # The lock is held from looking to remembering: of two commands at once, one makes the run and one finds it.
        with self._ledger.lock:
            self._ledger.refresh()
            known = self._ledger.run_id(run)
            if known is None or not self._server.is_active(known):
                known = self._server.find_or_make_run(self._runs[run].tags.complete())
                self._ledger.add_run(run, known)
                self._enqueue_again(run)
        self._verified.add(run)
        return known

    def _postpone(self, reason: str) -> None:
        with self._change:
            self._retry_at = time.monotonic() + RETRY_SECONDS
        if not self._said_away:
            self._said_away = True
            self._say(f"tracking: {shown(self._uri)} is away ({self._line(reason)}); the experiment goes on, {AGAIN}")

    def _report_refused(self, run: str, piece: str, error: Exception) -> None:
        self._refused += 1
        if self._refused == 1:
            self._say(
                f"tracking: {piece} of run {self._runs[run].name!r} was not uploaded ({self._line(error)}); {AGAIN}"
            )

    def _line(self, reason: object) -> str:
        """The first line of an error, short enough for one line of a terminal, and without the URI's credentials."""
        text = str(reason).strip() or type(reason).__name__
        return hidden(text.splitlines()[0], self._uri)[:200]
