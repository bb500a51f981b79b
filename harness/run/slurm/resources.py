"""What a stage asks Slurm for: a table by kind of stage and scale, which settings replace for all kinds or for one."""

import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.core.errors import UseError
from harness.core.graph import Node
from harness.core.registry import suggestion
from harness.declare.settings import SlurmSettings


@dataclass(frozen=True)
class Needs:
    """Of each rank of a stage; `time_min` of an attempt: a stage that needs longer is requeued and goes on."""

    cpus: int
    mem_gb: int
    gpus: int
    time_min: int


KINDS = (
    "backbone", "data", "train", "forecast", "generate", "true_films", "film", "errors", "score", "video_scores", "report"
)  # fmt: skip
EMBEDDED = Needs(cpus=1, mem_gb=4, gpus=0, time_min=120)
# Host memory: weights pass through it in bfloat16, 28 GB of a 14B transformer and 11 GB of the text encoder. A day is what most
# partitions allow.
OTHERS = Needs(cpus=8, mem_gb=48, gpus=1, time_min=480)
AT_SIZE: Mapping[str, Needs] = {
    "data": Needs(cpus=8, mem_gb=96, gpus=1, time_min=1440),
    "train": Needs(cpus=8, mem_gb=96, gpus=1, time_min=1440),
    "forecast": Needs(cpus=8, mem_gb=96, gpus=1, time_min=480),
    "generate": Needs(cpus=8, mem_gb=96, gpus=1, time_min=1440),
    "film": Needs(cpus=8, mem_gb=96, gpus=1, time_min=1440),
    "report": Needs(cpus=2, mem_gb=16, gpus=0, time_min=120),
}


def needs(kind: str, settings: SlurmSettings, embedded: bool) -> Needs:
    """What one rank of a stage of this kind takes. Raises UseError for a setting that cannot be read."""
    table = EMBEDDED if embedded else AT_SIZE.get(kind, OTHERS)
    told = {key: _for_kind(f"slurm.{key}", getattr(settings, key), kind, key != "gpus") for key in asdict(table)}
    return replace(table, **{key: value for key, value in told.items() if value is not None})


def _for_kind(key: str, value: int | str | None, kind: str, positive: bool) -> int | None:
    """The number for a kind: `value` is one for all kinds, or "train=2880,generate=600"."""
    if value is None or isinstance(value, int):
        return value
    found: dict[str, int] = {}
    for part in str(value).split(","):
        name, _, number = (word.strip() for word in part.partition("="))
        if name not in KINDS:
            raise UseError(f"{key}={value}: no stage is of the kind {name!r}; {suggestion(name, KINDS)}")
        if not number.isdecimal() or (positive and not int(number)):
            raise UseError(f"{key}={value}: expected a number, or kinds with numbers such as train=2880,generate=600")
        found[name] = int(number)
    return found.get(kind)


def parameters(node: Node, settings: SlurmSettings, embedded: bool) -> dict[str, Any]:
    """Of `submitit.SlurmExecutor.update_parameters`, for one stage or an array of its kind. Raises UseError."""
    one = needs(node.kind, settings, embedded)
    nodes = -(-node.ranks // settings.ranks_per_node)
    each = node.ranks // nodes
    if each * nodes != node.ranks:
        raise UseError(
            f"train.ranks={node.ranks} does not come out even on {nodes} nodes of at most {settings.ranks_per_node} ranks; "
            "choose another number of ranks, or slurm.ranks_per_node"
        )
    asked: dict[str, Any] = {
        "time": one.time_min,
        "nodes": nodes,
        "ntasks_per_node": each,
        "cpus_per_task": one.cpus,
        "mem": f"{one.mem_gb * each}GB",
        "array_parallelism": settings.at_once,
        "signal_delay_s": settings.signal_s,
        "stderr_to_stdout": True,
        # Since 22.05 a step does not inherit its cores from the job; a rank that dies takes the others with it.
        "srun_args": [f"--cpus-per-task={one.cpus}", "--kill-on-bad-exit=1"],
        "wckey": None,
        "additional_parameters": {"requeue": True, **_extra(settings.extra)},
    }
    if one.gpus:
        asked["gpus_per_node"] = one.gpus * each
    if settings.setup:
        asked["setup"] = [settings.setup]
    for key in ("partition", "account", "qos"):
        if (value := getattr(settings, key)) is not None:
            asked[key] = value
    return asked


def _extra(text: str | None) -> dict[str, str | bool]:
    """Options of sbatch: "constraint=a100 exclusive" are --constraint=a100 and --exclusive."""
    found: dict[str, str | bool] = {}
    for word in shlex.split(text or ""):
        name, equals, value = word.partition("=")
        found[name.removeprefix("--")] = value if equals else True
    return found
