"""The embedded base model's pretraining: plain flow matching with a shifted uniform timestep."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from svi.backbones.backbone import Backbone
from svi.backbones.catalogue import EXPERT
from svi.data.cache import LatentCache
from svi.method import flow, recycle
from svi.method.draws import Order, keyed
from svi.objectives.dropping import dropped
from svi.settings import ConditionSettings
from svi.training.objective import TrainingObjective, tokens_of


class Pretraining(TrainingObjective):
    """Plain flow matching of whole clips."""

    def __init__(
        self, backbone: Backbone, data: LatentCache, shift: float, seed: int, condition: ConditionSettings
    ) -> None:
        """`shift` of the training timesteps; `condition`: what is dropped of it."""
        self.backbone, self.data, self.shift, self.seed, self.condition = backbone, data, shift, seed, condition
        self.order = Order(len(data), seed)
        self.tokens = tokens_of(backbone, EXPERT)

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        """MSE between v and X_vid - X_noi."""
        n = len(samples)
        generator = keyed("pretrain", self.seed, samples[0])
        noise = torch.randn(n, *self.backbone.latent_shape, generator=generator)
        times = 1 - flow.shifted(torch.rand(n, generator=generator), self.shift)
        for start in range(0, n, micro):
            ks = samples[start : start + micro]
            rows = [self.order[k] for k in ks]
            x_noi, t = noise[start : start + micro], times[start : start + micro]
            batch = self.data.batch(rows, [False] * len(rows), [0] * len(rows))
            x_t = recycle.interpolate(batch.latents, x_noi, t)
            condition = dropped(batch.condition, self.condition, self.seed, ks)
            v = self.backbone.velocity(model, x_t, t, condition, batch.text)
            yield (v - (batch.latents - x_noi)).square().mean()
