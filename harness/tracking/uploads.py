"""The pieces a run consists of on MLflow: each knows whether it is still to be uploaded, and how."""

import hashlib
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeVar

from harness.tracking.ledger import Mark

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
Points = Sequence[tuple[int, float]]
T = TypeVar("T")

# Limits of the oldest servers still in use, so that a value accepted here is accepted everywhere.
PARAM_LENGTH, TAG_LENGTH, KEY_LENGTH = 500, 5000, 250
METRICS_PER_CALL, PARAMS_PER_CALL = 1000, 100
NOTE, LINK = "mlflow.note.content", "All runs of the experiment, and its report"


class Piece(Protocol):
    """One thing to upload to one run. Its mark says what the run holds of it; None is nothing."""

    @property
    def name(self) -> str:
        """What tells it from the other pieces of its run."""

    def pending(self, mark: Mark | None) -> bool:
        """True when the run does not hold all of it yet; asked without MLflow."""

    def send(self, client: "MlflowClient", run_id: str, mark: Mark | None, /) -> Iterator[Mark]:
        """Upload what is missing; after each part yields the mark to remember. Sending a part twice changes nothing."""


@dataclass(frozen=True)
class Tags:
    """The run's tags; those of a child name its parent, whose MLflow id may change, and link to it."""

    tags: Mapping[str, str]
    parent_id: Callable[[], str | None] = lambda: None
    name = "tags"

    def complete(self) -> dict[str, str]:
        """Every tag as it is sent, cut to what MLflow takes."""
        parent_id = self.parent_id()
        tags = dict(self.tags)
        if parent_id:
            room = TAG_LENGTH - len(link := f"\n\n[{LINK}](#/runs/{parent_id})")
            tags |= {"mlflow.parentRunId": parent_id, NOTE: cut(tags.get(NOTE, ""), room) + link}
        return {_key(key): cut(value, TAG_LENGTH) for key, value in tags.items()}

    def pending(self, mark: Mark | None) -> bool:
        return mark != digest(self.complete())

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        from mlflow.entities import RunTag

        tags = self.complete()
        for some in _blocks(list(tags.items()), PARAMS_PER_CALL):
            client.log_batch(run_id, tags=[RunTag(key, value) for key, value in some])
        yield digest(tags)


@dataclass(frozen=True)
class Params:
    """The run's parameters, dotted and written once: MLflow never changes a parameter."""

    params: Mapping[str, object]
    name = "params"

    def pending(self, mark: Mark | None) -> bool:
        return mark is None

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        from mlflow.entities import Param

        params = {_key(key): cut(text(value), PARAM_LENGTH) for key, value in _flat(self.params)}
        there = client.get_run(run_id).data.params
        missing = [Param(key, value) for key, value in params.items() if key not in there]
        for some in _blocks(missing, PARAMS_PER_CALL):
            client.log_batch(run_id, params=some)
        yield digest(params)


@dataclass(frozen=True)
class Document:
    """A JSON document kept as an artifact, such as the full configuration."""

    name: str
    content: Mapping[str, object]

    def pending(self, mark: Mark | None) -> bool:
        return mark != digest(self.content)

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        client.log_text(run_id, json.dumps(self.content, indent=2, default=str), self.name)
        yield digest(self.content)


@dataclass(frozen=True)
class MetricsFile:
    """A `metrics.jsonl` that may still grow: one object a line with step, time (unix s) and metrics.

    The mark is the last step sent. Steps rise through the file; steps that a resumed training writes again add nothing.
    """

    path: Path
    prefix: str = ""  # of every metric's name; files of one run differ in it

    @property
    def name(self) -> str:
        return f"{self.prefix}{self.path.name}"

    def pending(self, mark: Mark | None) -> bool:
        return next(self._newest_first(mark), None) is not None

    def send(self, client: "MlflowClient", run_id: str, mark: Mark | None) -> Iterator[Mark]:
        block: list[Metric] = []
        step: int | None = None
        for row_step, row in reversed(list(self._newest_first(mark))):
            values = {
                self.prefix + key: [(row_step, value)] for key, value in row.items() if key not in ("step", "time")
            }
            # The time of the line itself, never of the upload: a line sent twice is then one and the same point.
            metrics = _metrics(values, row.get("time"))
            if step is not None and block and len(block) + len(metrics) > METRICS_PER_CALL:
                client.log_batch(run_id, metrics=block)
                yield step
                block = []
            block += metrics
            step = row_step
        if block:
            client.log_batch(run_id, metrics=block)
        if step is not None:
            yield step

    def _newest_first(self, mark: Mark | None) -> Iterator[tuple[int, dict[str, object]]]:
        """(step, line) of every whole line after the marked step, the last one first."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return  # not begun yet, or just moved to its final folder, from where it is announced again
        for line in reversed(data[: data.rfind(b"\n") + 1].splitlines()):
            try:
                row = json.loads(line)
                step = int(row["step"])
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(mark, int) and step <= mark:
                return
            yield step, row


@dataclass(frozen=True)
class Curve:
    """Metrics over steps, measured at once (unix s); `identity` names the artifact they were read from."""

    name: str
    metrics: Mapping[str, Points]
    identity: str
    measured: float

    def pending(self, mark: Mark | None) -> bool:
        return mark != self.identity

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        for some in _blocks(_metrics(self.metrics, self.measured), METRICS_PER_CALL):
            client.log_batch(run_id, metrics=some)
        yield self.identity


@dataclass(frozen=True)
class Files:
    """A file, or all that a folder holds, for `to_folder` of the run's artifacts, known by `identity` or its bytes."""

    name: str
    path: Path
    to_folder: str = ""
    identity: str | None = None

    @cached_property
    def content(self) -> str:
        """The identity, read from the bytes where none is given."""
        if self.identity is not None:
            return self.identity
        files = sorted(path for path in self.path.rglob("*") if path.is_file()) if self.path.is_dir() else [self.path]
        hashes = [(str(path.relative_to(self.path)), _file_digest(path)) for path in files]
        return digest(hashes)

    def pending(self, mark: Mark | None) -> bool:
        return mark != self.content

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        upload = client.log_artifacts if self.path.is_dir() else client.log_artifact
        upload(run_id, str(self.path), self.to_folder or None)
        yield self.content


@dataclass(frozen=True)
class RunStatus:
    """Whether the run is going on, or how it ended, and after how long: the seconds of its stages (None: now)."""

    status: Status
    seconds: float | None = None
    name = "status"

    def pending(self, mark: Mark | None) -> bool:
        return mark != self._mark

    def send(self, client: "MlflowClient", run_id: str, _: Mark | None) -> Iterator[Mark]:
        if self.status == "RUNNING":
            client.update_run(run_id, status=self.status)
        elif self.seconds is None:
            client.set_terminated(run_id, self.status)
        else:
            started = client.get_run(run_id).info.start_time
            client.set_terminated(run_id, self.status, end_time=started + round(self.seconds * 1000))
        yield self._mark

    @property
    def _mark(self) -> str:
        return self.status if self.seconds is None else f"{self.status} {self.seconds:.3f}"


def status_in(mark: Mark | None) -> str:
    """The status that a mark of RunStatus tells, empty for none."""
    return str(mark or "").partition(" ")[0]


def _metrics(metrics: Mapping[str, Points] | Mapping[str, list[tuple[int, object]]], when: object) -> "list[Metric]":
    """MLflow metrics of every finite number; a value that is none has no place on a chart."""
    from mlflow.entities import Metric

    timestamp = round(when * 1000) if isinstance(when, int | float) and math.isfinite(when) else 0
    return [
        Metric(_key(key), float(value), timestamp, step)
        for key, points in metrics.items()
        for step, value in points
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    ]


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def text(value: object) -> str:
    """A value in one line."""
    return json.dumps(value, default=str) if isinstance(value, list | tuple | Mapping) else str(value)


def cut(whole: str, length: int) -> str:
    """The text, or as much of it as fits."""
    return whole if len(whole) <= length else f"{whole[: length - 1]}…"


def _key(key: str) -> str:
    return re.sub(r"[^\w.\-: /]", "_", key)[:KEY_LENGTH]


def _blocks(entities: list[T], size: int) -> Iterator[list[T]]:
    for start in range(0, len(entities), size):
        yield entities[start : start + size]


def digest(content: object) -> str:
    """A short hash of plain values."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
