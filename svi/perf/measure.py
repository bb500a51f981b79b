"""Timing and memory of a call, on a GPU or a CPU, and what the figures were made with."""

import gc
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from statistics import median

import torch

GIB = 2**30
PACKAGES = ("torch", "diffusers", "peft", "deepspeed", "transformers")


@dataclass(frozen=True)
class Cost:
    """Median seconds of a call, and the peak of memory during it: of the card, or of this process since it began."""

    seconds: float
    peak_gib: float


def cost(call: Callable[[], object], device: torch.device, repeat: int) -> Cost:
    """After one call that is not counted."""
    call()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    return Cost(median(_seconds(call, device) for _ in range(repeat)), _peak(device))


def matmul_rate(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of a large matrix product: what shares are shares of."""
    n = 8192 if device.type == "cuda" else 512
    a, b = (torch.randn(n, n, device=device).to(dtype) for _ in range(2))
    return 2 * n**3 / cost(lambda: a @ b, device, 10).seconds


def free(device: torch.device) -> None:
    """Give back what no longer is in use, before the next model is made."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()


def made_with(device: torch.device) -> dict[str, str]:
    """Card or processor, and versions."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else f"{platform.machine()} CPU"
    return {"device": name, "python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def _seconds(call: Callable[[], object], device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    call()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(device: torch.device) -> float:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / GIB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / GIB
