"""Which job works on a stage: a file a stage, written before the job is submitted, so that none is ever submitted twice."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.core.atomic import write_json
from harness.core.store import LOG, Store, stage_name
from harness.run.slurm.queue import Seen

FOLDER = "slurm"  # in the store: a folder a submission with its script and logs, and the records


@dataclass(frozen=True)
class JobRecord:
    """The last job of a stage. `name` is the submission's and unique, `index` its task of an array.

    `job` is None until sbatch said it, and for ever when the command died in between: the queue then knows it by its name.
    """

    kind: str
    signature: str
    label: str
    name: str
    index: int | None
    job: str | None
    experiments: tuple[str, ...]

    @property
    def stage(self) -> str:
        """As `harness status` calls it."""
        return stage_name(self.kind, self.signature)

    def write(self, store: Store) -> None:
        """Replaces the stage's earlier one."""
        file = _file(store, self.kind, self.signature)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, asdict(self))

    def remove(self, store: Store) -> None:
        """When there is no such job."""
        _file(store, self.kind, self.signature).unlink(missing_ok=True)

    def seen(self, jobs: Mapping[str, Seen]) -> Seen | None:
        """Its job in the queue. Ids are reused in time, and start again with a new cluster: the name decides."""
        if self.job is not None:
            found = jobs.get(self.job)
            return found if found is not None and found.name == self.name else None
        tail = "" if self.index is None else f"_{self.index}"
        return next((seen for seen in jobs.values() if seen.name == self.name and seen.job.endswith(tail)), None)

    def log(self, store: Store) -> Path:
        """What the stage prints, or until it has begun what Slurm and Python print before it."""
        own = store.partial(self.kind, self.signature) / LOG
        return own if own.is_file() else store.root / FOLDER / self.name / f"{self.job}_0_log.out"


def record_of(store: Store, kind: str, signature: str) -> JobRecord | None:
    """The last one of a stage."""
    try:
        return _read(_file(store, kind, signature))
    except FileNotFoundError:
        return None


def unfinished(store: Store) -> Iterator[JobRecord]:
    """Of all stages that are not done."""
    for file in sorted((store.root / FOLDER / "stages").glob("*.json")):
        record = _read(file)
        if not store.done(record.kind, record.signature):
            yield record


def _file(store: Store, kind: str, signature: str) -> Path:
    return store.root / FOLDER / "stages" / f"{stage_name(kind, signature)}.json"


def _read(file: Path) -> JobRecord:
    values = json.loads(file.read_text())
    return JobRecord(**{**values, "experiments": tuple(values["experiments"])})
