"""Helios-style history corruption: the past that training sees is made as bad by hand as the model's own will be."""

import torch
from torch import Tensor, nn

from svi.method.corruption import corrupted
from svi.objectives.history import History
from svi.objectives.objective import Clips


class HistoryCorruption(History):
    """Flow matching under noised, resampled and more or less saturated motion frames (Helios, arXiv 2603.04379)."""

    def past(self, model: nn.Module, clips: Clips, true: Tensor, step: int) -> Tensor:
        """Each sample by draws of its own."""
        return torch.stack([corrupted(y, generator) for y, generator in zip(true, clips.generators, strict=True)])
