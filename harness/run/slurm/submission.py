"""Stages into Slurm's queue: one submission is one job, or one array of stages of a kind."""

import importlib.util
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from harness.core.errors import UseError
from harness.core.graph import Node
from harness.core.job import StageError
from harness.core.registry import suggestion
from harness.core.store import ERROR, SIGNATURE_DIGITS, Store
from harness.declare.settings import SlurmSettings
from harness.run.slurm import by_kind, queue
from harness.run.slurm.job import Work
from harness.run.slurm.records import FOLDER, JobRecord
from harness.run.slurm.resources import check, parameters, words

PROGRAMS = ("sbatch", "squeue", "scancel", "srun", "sinfo", "scontrol")
LONGEST = 1000  # stages of an array: Slurm's MaxArraySize is 1001 unless a cluster sets it
UNSURE = ("timed out", "contact slurm controller", "Connection refused", "Zero Bytes")  # it may have been accepted


@dataclass(frozen=True)
class Submitter:
    """What all submissions of a command share."""

    settings: SlurmSettings
    embedded: bool
    experiment: str
    facts: Mapping[str, str]
    say: Callable[[str], None]

    def check(self, nodes: Sequence[Node]) -> None:
        """Raises UseError for whatever cannot work, before anything is submitted."""
        if lacking := [name for name in PROGRAMS if shutil.which(name) is None]:
            raise UseError(
                f"--executor slurm: no {', '.join(lacking)} on PATH; run it where Slurm's commands are, such as a login node, "
                "or with --executor local"
            )
        if importlib.util.find_spec("submitit") is None:
            raise UseError("--executor slurm needs submitit: pip install 'svi-harness[slurm]'")
        check((node.kind for node in nodes), self.settings, self.embedded)
        for node in nodes:
            parameters(node, self.settings, self.embedded)
            if node.runtime.get("train.hostfile"):
                raise UseError(
                    f"train.hostfile={node.runtime['train.hostfile']} and --executor slurm: Slurm says which hosts; leave it out"
                )
        try:
            known = queue.partitions()
        except queue.QueueError as error:
            raise UseError(
                f"--executor slurm: {error}; is Slurm's controller up, and this machine part of it?"
            ) from error
        for kind in dict.fromkeys(node.kind for node in nodes):
            wanted = by_kind.name("slurm.partition", self.settings.partition, kind)
            if unknown := [one for one in (wanted or "").split(",") if one and one not in known]:
                raise UseError(
                    f"slurm.partition={self.settings.partition}: no such partition; {suggestion(unknown[0], known)}"
                )

    def group(self, nodes: Sequence[Node]) -> Iterator[list[Node]]:
        """Those that can be one array: of one kind, with the same needs."""
        groups: dict[tuple[str, int], list[Node]] = {}
        for node in nodes:
            groups.setdefault((node.kind, node.ranks), []).append(node)
        for group in groups.values():
            yield from (group[at : at + LONGEST] for at in range(0, len(group), LONGEST))

    def send(self, store: Store, nodes: Sequence[Node], after: str = "") -> list[JobRecord]:
        """Submit stages of one kind, to begin as sbatch's --dependency says in `after`; their records, in the same order.

        To be called under `queue_lock`. Raises StageError when sbatch refuses, QueueError when it cannot be known whether it did.
        """
        import submitit

        name = f"{nodes[0].kind}-{uuid.uuid4().hex[:12]}"
        folder = store.root / FOLDER / name
        asked = {**parameters(nodes[0], self.settings, self.embedded), "job_name": name}
        if after:
            asked["dependency"] = after
            asked["additional_parameters"] = {**asked["additional_parameters"], "kill-on-invalid-dep": "yes"}
        many = len(nodes) > 1
        records = [
            JobRecord(node.kind, node.signature, node.label, name, index if many else None, None, (self.experiment,))
            for index, node in enumerate(nodes)
        ]
        for record in records:
            (store.partial(record.kind, record.signature) / ERROR).unlink(missing_ok=True)  # an earlier attempt's
            record.write(store)
        wrap = words("wrap", self.settings, nodes[0].kind)
        work = [
            Work(str(store.root), node.fields(), self.facts, str(folder / node.signature[:SIGNATURE_DIGITS]), wrap)
            for node in nodes
        ]
        try:
            executor = submitit.SlurmExecutor(folder, max_num_timeout=self.settings.requeues)
            executor.update_parameters(**asked)
            with _outside_of_jobs():
                jobs = executor.submit_array(work)
        except submitit.core.utils.FailedJobError as error:
            message = queue.one_line(str(error))
            if any(words in message for words in UNSURE):
                raise queue.QueueError(f"sbatch: {message}") from error
            for record in records:
                record.remove(store)
            raise StageError(
                f"sbatch refused it: {message}; {_asked(asked)} were asked for (settings slurm.*)"
            ) from error
        records = [replace(record, job=job.job_id) for record, job in zip(records, jobs, strict=True)]
        for record in records:
            record.write(store)
        what = f"{len(nodes)} x {nodes[0].kind}" if many else nodes[0].name
        self.say(f"Slurm job {jobs[0].job_id.partition('_')[0]}: {what}; logs in {folder}")
        return records

    def claim(self, store: Store, record: JobRecord, job: str) -> JobRecord:
        """The record of a job that another command submitted: this experiment wants it too."""
        wanting = tuple(dict.fromkeys((*record.experiments, self.experiment)))
        claimed = replace(record, job=job, experiments=wanting)
        if claimed != record:
            claimed.write(store)
        return claimed


def queue_lock(store: Store) -> Any:
    """Held from a look into the queue until what is submitted has its record: two commands submit no stage twice."""
    return store.lock("slurm", "queue")


def _asked(parameters: Mapping[str, Any]) -> str:
    """What Slurm may have refused, for people."""
    keys = ("partition", "account", "qos", "time", "nodes", "ntasks_per_node", "cpus_per_task", "mem", "gpus_per_node")
    shown = [f"{key}={parameters[key]}" for key in keys if key in parameters]
    extra = [f"{key}={value}" for key, value in parameters["additional_parameters"].items()]
    return ", ".join([*shown, *extra])


@contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Hide what a job or an allocation that this command runs in says of itself: sbatch would hand it on."""
    hidden = {}
    if "SLURM_JOB_ID" in os.environ:
        hidden = {key: value for key, value in os.environ.items() if key.startswith("SLURM_") and key != "SLURM_CONF"}
    for key in hidden:
        del os.environ[key]
    try:
        yield
    finally:
        os.environ.update(hidden)
