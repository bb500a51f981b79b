"""How well lips and sound agree, from SyncNet's features of both: Sync-D, Sync-C, the offset and a curve.

T windows, one a frame at 25 fps; the sound is shifted by up to 15 frames either way, 31 shifts.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.arrays import Floats
from benchmarks.sync.median import median_filter

FARTHEST = 15  # frames
_SMOOTHED = 9  # windows


@dataclass(frozen=True, eq=False)
class Agreement:
    """One track's scores.

    `distance` (Sync-D) is the mean distance at the best shift, lower is better; `confidence` (Sync-C) the median of the
    shifts' mean distances minus that, higher is better; `offset` how many frames the sound is ahead of the lips;
    `curve`, float64 [T], the confidence of each window at the best shift, through a median filter of 9.
    """

    distance: float
    confidence: float
    offset: int
    curve: Floats


def distances(lips: Tensor, sound: Tensor, start: int = 0) -> Tensor:
    """Euclidean distance float64 [B, 31] of the lips [B, D] of windows `start` to start + B - 1 to the sound of 15 windows
    before each to 15 after it. `sound` is that of all windows [T, D]; before the first and after the last one it is 0."""
    first, end = start - FARTHEST, start + len(lips) + FARTHEST
    near = sound[max(first, 0) : end].double()
    near = functional.pad(near, (0, 0, max(-first, 0), max(end - len(sound), 0)))
    shifted = [near[shift : shift + len(lips)] for shift in range(2 * FARTHEST + 1)]
    return torch.stack([functional.pairwise_distance(lips.double(), other) for other in shifted], dim=1)


def agreement(distances: Tensor) -> Agreement:
    """The scores of a track of T >= 1 windows from their `distances` [T, 31]."""
    means = distances.mean(dim=0)
    best = int(means.argmin())
    median = means.median()
    curve = median_filter((median - distances[:, best]).numpy(), _SMOOTHED)
    return Agreement(float(means[best]), float(median - means[best]), FARTHEST - best, curve)
