"""The smallest signal there is: one number a frame, which every block adds to that frame's tokens by a layer of its own."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from svi.backbones.adapters import Adapter, Layer


class LevelLayer(Layer):
    """One number a frame -> what is added to each of its tokens; nothing at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.spread = nn.Linear(1, channels)
        nn.init.zeros_(self.spread.weight)
        nn.init.zeros_(self.spread.bias)

    def forward(self, x: Tensor, shown: Tensor) -> Tensor:
        added: Tensor = self.spread(shown[..., None])
        return added.repeat_interleave(x.shape[1] // shown.shape[1], dim=1)


class LevelAdapter(Adapter):
    key = "level"

    def attach(self, wan: Any) -> None:
        super().attach(wan)
        for block in wan.blocks:
            LevelLayer(wan.config.num_attention_heads * wan.config.attention_head_dim).attach(block, "level", self.key)

    def shown(self, given: Tensor) -> Tensor:
        return given


@dataclass(frozen=True)
class Levels:
    """A film's, as a course (protocol: svi.course.Course)."""

    levels: Tensor
    key: str = "level"

    def clip(self, start: int, frames: int) -> Tensor:
        at = torch.arange(start, start + frames).clamp(0, len(self.levels) - 1)
        return self.levels[at]


def attach(wan: Any, seed: int | None = None) -> None:
    """A level for this transformer, untrained or with random weights."""
    LevelAdapter().attach(wan)
    if seed is not None:
        generator = torch.Generator().manual_seed(seed)
        for block in wan.blocks:
            nn.init.normal_(block.level.spread.weight, generator=generator)
