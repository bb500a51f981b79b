"""What a stage asks Slurm for: a table by kind of stage and scale, which settings replace for all kinds or for some."""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.core.errors import UseError
from harness.core.graph import Node
from harness.declare.settings import SlurmSettings
from harness.run.slurm import by_kind


@dataclass(frozen=True)
class Needs:
    """Of each rank of a stage; `time_min` of an attempt: a stage that needs longer is requeued and goes on."""

    cpus: int
    mem_gb: int
    gpus: int
    time_min: int


NAMES = ("partition", "account", "qos")
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
    told = {key: by_kind.number(f"slurm.{key}", getattr(settings, key), kind, key != "gpus") for key in asdict(table)}
    return replace(table, **{key: value for key, value in told.items() if value is not None})


def check(kinds: Iterable[str], settings: SlurmSettings, embedded: bool) -> None:
    """Raises UseError for settings that cannot be read, or that leave a stage of one of these kinds no time."""
    for kind in dict.fromkeys(kinds):
        minutes = needs(kind, settings, embedded).time_min
        if settings.signal_s >= 60 * minutes:
            raise UseError(
                f"slurm.signal_s={settings.signal_s}: {kind} stages may take {minutes} min = {60 * minutes} s (slurm.time_min), "
                "so a job would be told to requeue itself before it began; give a shorter warning, or more time"
            )
        for key in NAMES:
            by_kind.name(f"slurm.{key}", getattr(settings, key), kind)
        for key in ("extra", "srun", "wrap"):
            words(key, settings, kind)


def words(key: str, settings: SlurmSettings, kind: str) -> list[str]:
    """Of a setting that is words of a shell: `extra`, `srun` or `wrap`. Raises UseError for a quote that does not end."""
    text = getattr(settings, key)
    try:
        return shlex.split((text and by_kind.of_kind(text, kind)) or "")
    except ValueError as error:
        raise UseError(f"slurm.{key}={text}: expected words as in a shell; {str(error).lower()}") from error


def parameters(node: Node, settings: SlurmSettings, embedded: bool) -> dict[str, Any]:
    """Of `submitit.SlurmExecutor.update_parameters`, for one stage or an array of its kind. Raises UseError."""
    one = needs(node.kind, settings, embedded)
    nodes = -(-node.ranks // settings.ranks_per_node)
    each = node.ranks // nodes
    if each * nodes != node.ranks:
        raise UseError(
            f"{node.kind}.ranks={node.ranks} does not come out even on {nodes} nodes of at most {settings.ranks_per_node} ranks; "
            "choose another number of ranks, or slurm.ranks_per_node"
        )
    asked: dict[str, Any] = {
        "time": one.time_min,
        "nodes": nodes,
        "ntasks_per_node": each,
        "cpus_per_task": one.cpus,
        "mem": f"{one.mem_gb * each}GB",
        "array_parallelism": max(1, settings.at_once // node.ranks),
        "signal_delay_s": settings.signal_s,
        "stderr_to_stdout": True,
        # Since 22.05 a step does not inherit its cores from the job; a rank that dies takes the others with it.
        "srun_args": [
            f"--cpus-per-task={one.cpus}",
            "--kill-on-bad-exit=1",
            *(f"--{word.removeprefix('--')}" for word in words("srun", settings, node.kind)),
        ],
        "wckey": None,
        "additional_parameters": {"requeue": True, **_extra(words("extra", settings, node.kind))},
    }
    if one.gpus:
        asked["gpus_per_node"] = one.gpus * each
    if setup := settings.setup and by_kind.of_kind(settings.setup, node.kind):
        asked["setup"] = [setup]
    for key in NAMES:
        if (value := by_kind.name(f"slurm.{key}", getattr(settings, key), node.kind)) is not None:
            asked[key] = value
    return asked


def _extra(options: Iterable[str]) -> dict[str, str | bool]:
    """Options of sbatch: constraint=a100 and exclusive are --constraint=a100 and --exclusive."""
    found: dict[str, str | bool] = {}
    for word in options:
        name, equals, value = word.partition("=")
        found[name.removeprefix("--")] = value if equals else True
    return found
