"""The embedded codec's training: frames, then clips, encoded and decoded."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from svi.method.draws import Order, keyed


class Reconstruction:
    """The codec's own loss over clips in memory (protocol: svi.training.objective.TrainingObjective).

    Single frames come first, since they cost a fraction of clips and teach most of what clips need.
    """

    def __init__(self, clips: Tensor, steps: int, seed: int) -> None:
        """Clips [N, F, H, W, 3] uint8; in the first half of so many steps one frame of each."""
        self.clips, self.steps, self.seed = clips, steps, seed
        self.order = Order(len(clips), seed)
        self.tokens = clips[0].numel() // 3

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        """Of clips, or of one frame of each."""
        generator = keyed("codec", self.seed, samples[0])
        for start in range(0, len(samples), micro):
            clips = self.clips[[self.order[k] for k in samples[start : start + micro]]]
            if step < self.steps // 2:
                frame = torch.randint(clips.shape[1], (len(clips),), generator=generator)
                clips = clips[torch.arange(len(clips)), frame][:, None]
            yield model(clips, generator)

    def log(self) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}  # every draw is keyed by its sample

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass

    def settle(self) -> None:
        pass
