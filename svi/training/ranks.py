"""Who this process is among the ranks of a training, as a launcher or Slurm says it, and what ranks do together."""

import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import HashStore


def by_slurm(environment: Mapping[str, str]) -> dict[str, str]:
    """RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT of one task of `srun` (its man page, output environment variables).

    Empty when a launcher has set them already, or this is no step of several tasks: a batch script itself has SLURM_NTASKS and
    SLURM_PROCID too, but is one process.
    """
    if "WORLD_SIZE" in environment or int(environment.get("SLURM_STEP_NUM_TASKS", "1")) == 1:
        return {}
    step = 64 * int(environment["SLURM_JOB_ID"]) + int(environment["SLURM_STEP_ID"])
    return {
        "RANK": environment["SLURM_PROCID"],
        "WORLD_SIZE": environment["SLURM_STEP_NUM_TASKS"],
        "LOCAL_RANK": environment["SLURM_LOCALID"],
        "MASTER_ADDR": first_host(environment["SLURM_STEP_NODELIST"]),
        "MASTER_PORT": str(20000 + step % 20000),  # as far from other steps of this machine as it goes
    }


def first_host(nodes: str) -> str:
    """The first of Slurm's list of hosts: node[01-04,7],gpu1 -> node01."""
    return re.sub(r"\[([^],-]+)[^]]*\]", r"\1", nodes).split(",")[0]


def join() -> None:
    """Enter the process group of all ranks, a group of one over no network if nothing started others. May be repeated.

    On a GPU machine the process then works on the card with its local number.
    """
    if dist.is_initialized():
        return
    os.environ.update(by_slurm(os.environ))
    os.environ["LOCAL_RANK"] = str(take_card())  # which DeepSpeed asks for
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    if "WORLD_SIZE" in os.environ:
        dist.init_process_group(backend)
    else:
        dist.init_process_group(backend, store=HashStore(), rank=0, world_size=1)


def take_card() -> int:
    """Work on the card with this process's number on its machine, where there are cards; that number."""
    local = int(os.environ.get("LOCAL_RANK", "0"))
    if torch.cuda.is_available():
        local %= torch.cuda.device_count()  # Slurm may show each task its own card alone
        torch.cuda.set_device(local)
    return local


def _device() -> str:
    """Where the group's backend wants its tensors."""
    return "cuda" if dist.get_backend() == "nccl" else "cpu"


def gather(x: Tensor) -> Tensor:
    """The rows of all ranks, in rank order; of one rank, `x` itself."""
    if dist.get_world_size() == 1:
        return x
    mine = x.contiguous().to(_device())
    parts = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, mine)
    return torch.cat(parts).to(x.device)


def mean(x: Tensor) -> Tensor:
    """The mean over all ranks; of one rank, `x` itself."""
    if dist.get_world_size() == 1:
        return x.detach()
    total = x.detach().to(_device(), copy=True)
    dist.all_reduce(total)
    return total.to(x.device) / dist.get_world_size()


@dataclass
class NodePeers:
    """The ranks of this node (svi.bank.bank.Peers), in a group of their own: one thread may use it beside the others' work."""

    node: int
    rank: int
    size: int
    group: Any

    def barrier(self) -> None:
        """Wait for all of them."""
        dist.barrier(group=self.group)


def peers() -> NodePeers:
    """Of this process's host. Collective over all ranks, which must have joined."""
    hosts: list[str] = [""] * dist.get_world_size()
    dist.all_gather_object(hosts, socket.gethostname())
    nodes = [[rank for rank, host in enumerate(hosts) if host == name] for name in dict.fromkeys(hosts)]
    groups = [dist.new_group(ranks, backend="gloo") for ranks in nodes]
    node = next(number for number, ranks in enumerate(nodes) if dist.get_rank() in ranks)
    return NodePeers(node, nodes[node].index(dist.get_rank()), len(nodes[node]), groups[node])
