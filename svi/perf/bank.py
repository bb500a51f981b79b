"""The error bank at size, beside the two lists of errors in memory that the authors' code keeps."""

import math
import os
import platform
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from svi.bank.bank import ErrorBank
from svi.bank.sketch import squared_distance
from svi.error_settings import BankSettings

SizeName = Literal["480p", "tiny"]
Shape = tuple[int, int, int, int]
SLOTS, NODE = 50, 8


class BankSize(NamedTuple):
    """One size: an error's shape, errors a slot, adds to measure and to check, and adds to measure of the lists."""

    shape: Shape
    capacity: int
    adds: int
    lists: int


SIZES: dict[SizeName, BankSize] = {
    "480p": BankSize((16, 21, 60, 104), 500, 100, 3),
    "tiny": BankSize((4, 9, 64, 64), 64, 10, 2),
}


class ErrorList:
    """One of the two lists of the straightforward bank, for one slot: bfloat16 errors in memory.

    A full list replaces its nearest error: all are stacked and subtracted at once, as the authors' training scripts have it
    (l2_batch), or one after the other (their l2_similarity).
    """

    def __init__(self, capacity: int, *, stacked: bool) -> None:
        self.capacity, self.stacked = capacity, stacked
        self.held: list[Tensor] = []

    def add(self, error: Tensor) -> None:
        """A new one, or in place of the nearest."""
        error = error.bfloat16()
        if len(self.held) < self.capacity:
            self.held.append(error)
        else:
            self.held[self._nearest(error)] = error

    def _nearest(self, error: Tensor) -> int:
        if self.stacked:
            return int(torch.linalg.vector_norm((torch.stack(self.held) - error).flatten(1), dim=1).argmin())
        distances = [float(torch.linalg.vector_norm(held - error)) for held in self.held]
        return distances.index(min(distances))

    def sample(self, generator: torch.Generator) -> Tensor:
        """A random one, float32."""
        return self.held[int(torch.randint(len(self.held), (), generator=generator))].float()


def structured(shape: Shape) -> Iterator[Tensor]:
    """Residuals of 300 clips: a smooth field of the clip's own under noise of smoothly varying strength, norms 20 % apart."""
    generator = torch.Generator().manual_seed(0)
    while True:
        clip = torch.Generator().manual_seed(1 + int(torch.randint(300, (), generator=generator)))
        size = math.exp(
            0.2 * float(torch.randn((), generator=clip)) + 0.2 * float(torch.randn((), generator=generator))
        )
        field = _smooth(torch.randn, shape, clip) * 2 * float(torch.rand((), generator=generator))
        yield size * (field + 2 * _smooth(torch.rand, shape, clip)[:1] * torch.randn(shape, generator=generator))


def _smooth(draw: Callable[..., Tensor], shape: Shape, generator: torch.Generator) -> Tensor:
    c, t, h, w = shape
    coarse = draw(1, c, t // 4 + 1, h // 8 + 1, w // 8 + 1, generator=generator)
    return F.interpolate(coarse, size=(t, h, w), mode="trilinear")[0]


def noise(shape: Shape) -> Iterator[Tensor]:
    """The worst case: independent values and equal norms, so that all distances are all but equal."""
    generator = torch.Generator().manual_seed(0)
    while True:
        yield torch.randn(shape, generator=generator)


def measure(size: SizeName, folder: Path | None = None) -> dict[str, Any]:
    """All figures, on one thread: bytes, seconds (medians) and shares. The bank's file lies in `folder` meanwhile."""
    plan, threads = SIZES[size], torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with tempfile.TemporaryDirectory(dir=folder) as where:
            figures = {
                "size": size,
                "shape": plan.shape,
                "slots": SLOTS,
                "capacity": plan.capacity,
                "lists, stacked": measure_lists(plan, stacked=True),
                "lists, one by one": measure_lists(plan, stacked=False),
                "bank": measure_bank(plan, structured(plan.shape), Path(where) / "structured"),
                "bank, worst case": measure_bank(plan, noise(plan.shape), Path(where) / "noise"),
            }
    finally:
        torch.set_num_threads(threads)
    return {**figures, "versions": versions()}


def versions() -> dict[str, str]:
    """What it ran on."""
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def measure_lists(plan: BankSize, *, stacked: bool) -> dict[str, float]:
    """The two lists: one of them, full, for one slot; the rest computed from it."""
    errors, stream, generator = ErrorList(plan.capacity, stacked=stacked), structured(plan.shape), torch.Generator()
    for error in islice(stream, plan.capacity + 1):  # the first search finds no memory at hand yet
        errors.add(error)
    held = 2 * SLOTS * sum(error.nbytes for error in errors.held)
    add = [2 * _seconds(partial(errors.add, error)) for error in islice(stream, plan.lists)]
    sample = [_seconds(partial(errors.sample, generator)) for _ in range(plan.adds)]
    return {"process_bytes": held, "node_bytes": NODE * held, "add_s": median(add), "sample_s": median(sample)}


def measure_bank(plan: BankSize, stream: Iterator[Tensor], folder: Path) -> dict[str, float]:
    """The bank: one full slot just after a checkpoint, the rest computed from it; every decision checked against all distances."""
    bank = ErrorBank(1, plan.shape, BankSettings(capacity=plan.capacity, dtype="bfloat16"), folder)
    generator = torch.Generator()
    for r in islice(stream, plan.capacity):
        bank.add(0, r[None], 0.3, generator)
    bank.state_dict()
    on_disk, own = SLOTS * bank.file.path.stat().st_blocks * 512, bank.own_bytes
    add, sample, exact, bank.read = [], [], 0, 0
    for r in islice(stream, plan.adds):
        nearest = exactly_nearest(bank, r)
        start = time.perf_counter()
        position = bank.add(0, r[None], 0.3, generator)
        add.append(time.perf_counter() - start)
        exact += position == nearest
        sample.append(_seconds(partial(bank.sample, 0, generator)))
    bank.close(remove=True)
    return {
        "process_bytes": on_disk + own,
        "node_bytes": on_disk + NODE * own,
        "add_s": median(add),
        "sample_s": median(sample),
        "exact": exact / plan.adds,
        "read": bank.read / plan.adds,
    }


def exactly_nearest(bank: ErrorBank, r: Tensor) -> int:
    """The position of a full slot's nearest entry, by the distances to all."""
    x = r.bfloat16().float().flatten()
    distances = [squared_distance(x, bank.file.entry(0, i).flatten()) for i in range(bank.settings.capacity)]
    return distances.index(min(distances))


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def table(figures: dict[str, Any]) -> str:
    """The figures for people: two lists as the authors' scripts run them, or searched one by one; the bank, and its worst case."""
    columns = ["lists, stacked", "lists, one by one", "bank", "bank, worst case"]
    base, shape = figures[columns[0]], "x".join(map(str, figures["shape"]))
    both = {name: figures[name]["add_s"] + figures[name]["sample_s"] for name in columns}

    def row(name: str, cell: Callable[[str], str]) -> str:
        return f"{name:34}" + "".join(f"{cell(column):>20}" for column in columns)

    def size(key: str) -> Callable[[str], str]:
        return lambda c: f"{figures[c][key] / 1e9:.3f} ({figures[c][key] / base[key]:.4f})"

    def of(key: str, form: str) -> Callable[[str], str]:
        return lambda c: format(figures[c][key], form) if key in figures[c] else "-"

    return "\n".join(
        [
            f"{figures['slots']} slots of {figures['capacity']} errors {shape}, bfloat16; measured: one slot, one thread",
            row("", str),
            row("GB a process (of the first)", size("process_bytes")),
            row(f"GB a node of {NODE} ranks (of the first)", size("node_bytes")),
            row("s to add to a full slot", of("add_s", ".4f")),
            row("s to sample", of("sample_s", ".4f")),
            row("times faster than the first, both", lambda c: f"{both[columns[0]] / both[c]:.1f}"),
            row("times faster than the second, both", lambda c: f"{both[columns[1]] / both[c]:.1f}"),
            row("replacements exact L2", of("exact", ".1%")),
            row("entries read an add", of("read", ".1f")),
            ", ".join(f"{name} {version}" for name, version in figures["versions"].items()),
        ]
    )
