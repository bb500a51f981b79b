"""Two devices' results held against each other, each within a stated tolerance.

float32: the relative difference of the two, within EXACT. bfloat16: how far the card is from the processor's float32, within twice
what the processor itself loses by bfloat16 (and SLACK, since encoders compute in float32 with TensorFloat-32 there).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from svi.card.made import DTYPES, Dtype, Made

State = Literal["passed", "failed", "skipped"]
EXACT = 1e-4
LOOSER = {
    "VAE, decoded": 1e-3,  # 8 bits: a value on the edge falls to either side
    "clip, frames": 1e-3,
    "clip, latents": 1e-3,
    "training, gradient norms": 1e-3,
    "training, LoRA": 2e-2,  # AdamW's first steps follow the gradients' signs, also of those near zero
    "bank, errors": 1e-3,
}
SLACK = 1e-2
LAST = 400  # letters of what went wrong


@dataclass(frozen=True)
class Check:
    """One comparison: a relative difference (L2) and what it may be; or why there is none."""

    name: str
    state: State
    dtype: str | None = None
    measured: float | None = None
    tolerance: float | None = None
    note: str = ""


def compared(card: Mapping[Dtype, Made], processor: Mapping[Dtype, Made]) -> Iterator[Check]:
    """Every result of the card against the processor's, and every part that the card could not do."""
    exact = processor["float32"].tensors
    for dtype in DTYPES:
        for part, trace in card[dtype].wrong.items():
            yield Check(part, "failed", dtype, note=last_line(trace))
        own = processor[dtype]
        for name, wanted in exact.items():
            if name in card[dtype].tensors and name in own.tensors:
                loss = distance(own.tensors[name], wanted)
                tolerance = LOOSER.get(name, EXACT) if dtype == "float32" else 2 * loss + SLACK
                yield within(name, distance(card[dtype].tensors[name], wanted), tolerance, dtype)
    for dtype in DTYPES:
        for part, trace in processor[dtype].wrong.items():
            yield Check(part, "skipped", dtype, note=f"the processor itself could not: {last_line(trace)}")


def within(name: str, measured: float, tolerance: float, dtype: str | None = None, note: str = "") -> Check:
    """Passed where it is at most the tolerance; what is no number is not."""
    return Check(name, "passed" if measured <= tolerance else "failed", dtype, measured, tolerance, note)


def distance(x: Tensor, wanted: Tensor) -> float:
    """|x - wanted| / |wanted|, in float64; infinite where sizes differ or a value is no number."""
    if x.shape != wanted.shape or not bool(torch.isfinite(x).all()):
        return float("inf")
    return float((x.double() - wanted.double()).norm() / wanted.double().norm().clamp_min(1e-30))


def last_line(trace: str) -> str:
    """Of a traceback: what went wrong, without the paths above it."""
    lines = [line.strip() for line in trace.splitlines() if line.strip()]
    return lines[-1][:LAST] if lines else "nothing was said"
