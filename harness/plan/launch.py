"""How several ranks of one stage are started: DeepSpeed's launcher, on one machine or by a hostfile, or Slurm's srun."""

import os
import sys
from collections.abc import Mapping


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
