"""The embedded codec's training: frames, then clips, encoded and decoded."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from svi.method.draws import Order, keyed
from svi.training.objective import TrainingObjective


class Reconstruction(TrainingObjective):
    """The codec's own loss over clips in memory.

    Single frames come first, since they cost a fraction of clips and teach most of what clips need.
    """

    def __init__(self, clips: Tensor, single: int, seed: int) -> None:
        """Clips [N, F, H, W, 3] uint8; in the first `single` steps one frame of each."""
        self.clips, self.single, self.seed = clips, single, seed
        self.order = Order(len(clips), seed)
        self.tokens = clips[0].numel() // 3

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        """Of clips, or of one frame of each."""
        generator = keyed("codec", self.seed, samples[0])
        for start in range(0, len(samples), micro):
            clips = self.clips[[self.order[k] for k in samples[start : start + micro]]]
            if step < self.single:
                frame = torch.randint(clips.shape[1], (len(clips),), generator=generator)
                clips = clips[torch.arange(len(clips)), frame][:, None]
            yield model(clips, generator)
