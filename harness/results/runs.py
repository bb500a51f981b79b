"""The runs of a store by name: what each was asked for, in a file of its own."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, Self

from pydantic import TypeAdapter

from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.registry import suggestion
from harness.declare.request import Request
from harness.declare.run_name import check_run_name, counted_overrides, run_name
from harness.declare.spec import Experiment
from harness.plan.pipeline import Pipeline

RECORDS = "run_records"  # folder in a store


@dataclass(frozen=True)
class RunRecord:
    """What a run was asked for, and the signatures of its report and of all its stages; `finished` once there is a report.
    `extension`: the stages of a longer one of its name that is not finished yet.

    `source` is the experiment's name, or FILE.py:NAME. `overrides` are those that change a result.
    """

    name: str
    experiment: str
    source: str
    profile: str
    recipes: Sequence[str]
    overrides: Mapping[str, object]
    only: str | None
    variants: Sequence[str]
    tracks: Sequence[str]
    seeds: Sequence[int]
    command: str
    begun: str
    report: str
    stages: Sequence[str]
    finished: str | None = None
    extension: Sequence[str] = ()

    @classmethod
    def of(cls, pipeline: Pipeline) -> Self:
        """Of a run that begins now."""
        request, experiment = pipeline.request, pipeline.request.experiment
        return cls(
            name=request.name,
            experiment=experiment.name,
            source=_source(request),
            profile=request.profile,
            recipes=list(request.recipes),
            overrides=counted_overrides(request),
            only=request.only,
            variants=[variant.name for variant in experiment.variants],
            tracks=list(experiment.tracks),
            seeds=list(experiment.seeds),
            command=request.command,
            begun=_now(),
            report=pipeline.report,
            stages=[node.signature for node in pipeline.graph if node.signature != pipeline.report],
        )

    def keep(self, root: Path) -> None:
        """Write it, in the place of an earlier one."""
        (root / RECORDS).mkdir(exist_ok=True)
        write_json(_path(root, self.name), asdict(self))

    def differences(self, request: Request) -> list[str]:
        """In what a request is of another run, in words; empty where it may go on with this one."""
        here: dict[str, object] = {
            "experiment": _source(request),
            "profile": request.profile,
            "recipes": ", ".join(request.recipes),
            **counted_overrides(request),
        }
        there: dict[str, object] = {
            "experiment": self.source,
            "profile": self.profile,
            "recipes": ", ".join(self.recipes),
            **self.overrides,
        }
        return [
            f"{key} is {_told(there.get(key))} there, {_told(here.get(key))} here"
            for key in dict.fromkeys([*there, *here])
            if there.get(key) != here.get(key)
        ]

    def lacking(self, request: Request) -> list[str]:
        """What this run has and the request has not, in words."""
        experiment = request.experiment
        variants = [] if request.only is None else self.variants  # without --only it has all that are declared now
        asked = {
            "variants": (variants, [variant.name for variant in experiment.variants]),
            "tracks": (self.tracks, experiment.tracks),
            "seeds": (self.seeds, experiment.seeds),
        }
        return [
            f"{what} {', '.join(map(str, has))}" for what, (has, wanted) in asked.items() if not set(has) <= set(wanted)
        ]


def named(request: Request, declared: Experiment, root: Path) -> Request:
    """The request with the name of its run: `called`, or one that says what it overrides of what is declared.

    A request for less than a finished run of that name has is a run of its own, called by what it asks for; for more, it extends
    that run. Raises UseError where the name belongs to another run.
    """
    if request.called is not None:
        check_run_name(request.called)
        if (taken := _finished(root, request.called)) and (less := taken.lacking(request)):
            raise UseError(
                f"the run {taken.name} has more than this one asks for ({'; '.join(less)}), and is not replaced; "
                "ask for that too, or choose another --name"
            )
        return _checked(request, root)
    tracks, seeds = set(declared.tracks), set(declared.seeds)
    found = replace(request, called=run_name(request, tracks, seeds))
    while (fuller := _finished(root, found.name)) and fuller.lacking(found) and not fuller.differences(found):
        tracks, seeds = tracks | set(fuller.tracks), seeds | set(fuller.seeds)
        if (name := run_name(request, tracks, seeds)) == found.name:
            break
        found = replace(request, called=name)
    return _checked(found, root)


def introduction(request: Request, root: Path) -> str | None:
    """What to say of a name that the experiment does not have; and of a run made alike that has what this one lacks."""
    if request.name == request.experiment.name:
        return None
    alike = (run for run in runs(root) if run.finished and run.only == request.only and not run.differences(request))
    fuller = next((run for run in alike if run.name != request.name and run.lacking(request)), None)
    beside = f", beside {fuller.name}, which has {'; '.join(fuller.lacking(request))}" if fuller else ""
    return f"this run is named {request.name}{beside}; its tables: harness report {request.name}"


def runs(root: Path) -> list[RunRecord]:
    """All runs of a store, the newest first."""
    found = [_read(path) for path in (root / RECORDS).glob("*.json")]
    return sorted(found, key=lambda record: record.begun, reverse=True)


def find_run(root: Path, name: str) -> RunRecord:
    """The run of that name. Raises UseError."""
    known = {record.name: record for record in runs(root)}
    if name not in known:
        raise UseError(f"no run is named {name!r} in {root}: {suggestion(name, known)}")
    return known[name]


def begin(record: RunRecord, root: Path) -> None:
    """Note that a run begins; what a finished one of the name was asked for stays noted until this one is finished."""
    before = _finished(root, record.name)
    kept = record if before is None else replace(before, extension=[*record.stages, record.report])
    kept.keep(root)


def finish(record: RunRecord, root: Path) -> None:
    """Note that a run has its report."""
    replace(record, finished=_now()).keep(root)


def forget(root: Path, name: str) -> None:
    """Remove the record."""
    _path(root, name).unlink(missing_ok=True)


def _checked(request: Request, root: Path) -> Request:
    path = _path(root, request.name)
    if path.is_file() and (differences := _read(path).differences(request)):
        raise UseError(
            f"another run is named {request.name} ({'; '.join(differences)}); choose another --name for this one, or "
            f"`harness runs remove {request.name}`"
        )
    return request


def _finished(root: Path, name: str) -> RunRecord | None:
    path = _path(root, name)
    record = _read(path) if path.is_file() else None
    return record if record and record.finished else None


def _source(request: Request) -> str:
    """Without the folder, which may be moved."""
    file, colon, name = request.reference.rpartition(":")
    return f"{Path(file).name}:{name}" if colon else request.reference


def _told(value: object) -> str:
    return "not set" if value in (None, "") else str(value)


def _path(root: Path, name: str) -> Path:
    return root / RECORDS / f"{name}.json"


def _read(path: Path) -> RunRecord:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        record = _checked_types().validate_python(asdict(RunRecord(**values)))
        if record.name != path.stem:
            raise ValueError(f"it says {record.name!r}")
        for moment in (record.begun, record.finished or record.begun):
            datetime.fromisoformat(moment)
        return record
    except (ValueError, TypeError, RecursionError) as error:
        raise UseError(f"{path} is no record of a run; move it away: the run's command writes it anew") from error


@cache
def _checked_types() -> TypeAdapter[RunRecord]:
    return TypeAdapter(RunRecord)


def _now() -> str:
    """To the microsecond: of two runs in one second, too, one is the newer."""
    return datetime.now(UTC).isoformat(timespec="microseconds")
