"""The cards together: each rank of a process group joins as a training's does, adds and gathers, trains, and times a large sum.

NCCL over GPUs; gloo where torch sees none. Run by every rank, started with RANK, WORLD_SIZE, LOCAL_RANK and MASTER_* set.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.distributed as dist

from svi.backbones.speed import default_device
from svi.card.compare import Check, within
from svi.card.made import load, trained
from svi.training import ranks

LARGE = {"cuda": 1 << 28, "cpu": 1 << 22}  # bytes of the timed sum


def together(folder: Path, scratch: Path) -> Iterator[Check]:
    """What rank 0 finds; the others yield the same rows, which nobody reads. `folder`: of the small Wan."""
    ranks.join()
    world, rank, name = dist.get_world_size(), dist.get_rank(), dist.get_backend()
    mine = torch.arange(8.0) + rank
    wanted = torch.arange(8.0) + (world - 1) / 2
    yield within(f"{name}: mean over {world} ranks", float((ranks.mean(mine) - wanted).abs().max()), 1e-5, "float32")
    rows = ranks.gather(torch.full((1,), float(rank)))
    yield within(
        f"{name}: rows of {world} ranks", float((rows - torch.arange(float(world))).abs().max()), 0.0, "float32"
    )
    if world > 1:
        lora = trained(load(folder, "bfloat16"), "bfloat16", scratch)["training, LoRA"]
        apart = float((ranks.gather(lora[None]) - lora).abs().max())
        yield within(f"{name}: LoRA of {world} ranks, ZeRO-2", apart, 0.0, "bfloat16")
        seconds, bytes_ = _timed()
        pace = 2 * (world - 1) / world * bytes_ / seconds / 1e9
        note = f"all-reduce of {bytes_ / 2**20:.0f} MiB in {seconds:.4f} s: {pace:.1f} GB/s on the bus"
        yield Check(f"{name}: pace of {world} ranks", "passed", "float32", note=note)


def _timed() -> tuple[float, int]:
    """Seconds of one large all-reduce, the best of five after one, and its bytes."""
    device = default_device() if dist.get_backend() == "nccl" else torch.device("cpu")
    x = torch.ones(LARGE[device.type] // 4, device=device)
    best = float("inf")
    for trial in range(6):
        dist.barrier()
        start = time.perf_counter()
        dist.all_reduce(x)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        if trial:
            best = min(best, time.perf_counter() - start)
        x.fill_(1.0)
    return best, x.nbytes
