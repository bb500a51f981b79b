"""Consistency of a video by its frames' features: how like each frame is to the one before and to the first."""

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.arrays import Floats
from benchmarks.vbench.dimension import DimensionScore


class Consistency:
    """Of frame t >= 1: the mean of its cosines with frame t - 1 and with frame 0, a negative cosine counting as 0.

    The video's value is their mean; over videos VBench weights it by their number (subject and background consistency).
    """

    def __init__(self) -> None:
        self._first: Tensor | None = None
        self._last: Tensor | None = None
        self._blocks: list[Tensor] = []

    def add(self, features: Tensor) -> None:
        """The next frames' features [B, D], of any length."""
        features = functional.normalize(features, dim=-1)
        first = features[:1] if self._first is None else self._first
        before = torch.cat([features[:1] if self._last is None else self._last, features[:-1]])
        cosines = [functional.cosine_similarity(other, features) for other in (before, first)]
        self._blocks.append(torch.stack(cosines).clamp(min=0).double().cpu())
        self._first, self._last = first, features[-1:]

    def score(self) -> DimensionScore:
        """The frames' values, NaN for the first frame, which has none before it."""
        cosines = torch.cat(self._blocks, dim=1)
        frames, first = cosines.mean(dim=0).numpy(), cosines[1].numpy()
        frames[0] = first[0] = float("nan")
        return DimensionScore(weight=float(len(frames) - 1), frames=frames, rule=_mean_after_first, first=first)


def _mean_after_first(stretch: Floats, start: int) -> float:
    """The first frame's neighbour is not in the stretch."""
    return float(stretch[1:].mean()) if len(stretch) > 1 else float("nan")
