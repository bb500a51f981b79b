"""How several ranks of one stage are started: DeepSpeed's launcher, on one machine or by a hostfile, or Slurm's srun."""

import os
import sys
from collections.abc import Mapping
from typing import Any

from benchmarks.suites import FVD, OFFICIAL, SYNC, VBENCH
from harness.core.gpus import visible_gpus
from harness.declare.request import MADE
from harness.plan.kinds import DATA, GENERATE, Kind


def launcher(
    ranks: int, hostfile: str | None, number: int, environment: Mapping[str, str] = os.environ
) -> tuple[str, ...]:
    """The command that starts a module, named behind it, in `ranks` processes; `number` keeps ports of one command apart.

    Inside a Slurm allocation of several tasks srun starts them, and svi/training/ranks.py reads who they are; a hostfile is
    DeepSpeed's own form (host slots=8) and its launcher reaches the hosts by ssh.
    """
    if hostfile is None and int(environment.get("SLURM_NTASKS", "1")) > 1:
        return ("srun", "--ntasks", str(ranks), "--kill-on-bad-exit=1", sys.executable, "-m")
    port = 20000 + (os.getpid() * 64 + number) % 20000
    hosts = ("--hostfile", hostfile) if hostfile else ("--num_accelerators", str(ranks), "--master_addr", "127.0.0.1")
    runner = (sys.executable, "-m", "deepspeed.launcher.runner", "--no_local_rank")
    return (*runner, *hosts, "--master_port", str(port), "--module")


def dealt(kind: Kind, identity: Mapping[str, Any], runtime: Mapping[str, Any]) -> int:
    """In how many processes a stage whose parts are computed alone deals them out: films of a track, shards of a latent cache.

    As many as are asked for, else as there are GPUs here; no more than parts, where it is known how many those are.
    """
    wanted: int = runtime.get(f"{kind.name}.ranks") or len(visible_gpus()) or 1
    if kind.name == GENERATE.name and identity["generate.method"] == MADE:
        groups: int = -(-identity["generate.samples"] // runtime["generate.together"])
        return min(wanted, groups)
    if kind is DATA:
        shards: int = -(-identity["data.clips"] // runtime["data.shard_clips"])
        return wanted if identity.get("data.path") or runtime.get("data.path") else min(wanted, shards)
    return 1


def scorers(suite: str, wanted: int | None, films: int) -> int:
    """In how many processes a suite's films are scored: as many as are `wanted`, no more than films.

    If none is said, as many as there are GPUs here where models score; else one, which is soon done. The official package scores
    all films of a dimension in a process of its own.
    """
    if suite == OFFICIAL:
        return 1
    default = len(visible_gpus()) if suite in (VBENCH, SYNC, FVD) else 1
    return max(1, min(wanted or default, films))
