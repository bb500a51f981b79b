"""Diffusion forcing, the fine-tuning's objective: a noise level for each latent frame, and the past in the sequence itself."""

import torch
from torch import Tensor, nn

from svi.backbones.attention import blocks
from svi.backbones.padding import unknown
from svi.generation.history import whole_latents
from svi.method.draws import keyed
from svi.method.flow import draw_t
from svi.objectives.objective import Clips, Objective, Setup
from svi.parts import EACH_FRAME


class DiffusionForcing(Objective):
    """Flow matching with an independent t for every latent frame, and no image condition (arXiv 2407.01392).

    A frame at t = 1 is history: it is given and not predicted. An objective that is built on this one may change the latents of
    such frames in `inputs`, and still learns the others from clean targets.
    """

    gives = (EACH_FRAME,)

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError for a history that no latents hold."""
        super().__init__(setup)
        self.forcing = setup.settings.forcing
        self.history = whole_latents(setup.backbone, setup.settings.condition.overlap)
        self.sizes = torch.tensor(blocks(setup.backbone.latent_shape[1], self.forcing.chunk))

    def inputs(self, model: nn.Module, clips: Clips, step: int) -> Clips:
        return clips.changed(condition=unknown(clips.condition), t=torch.stack([self.times(k) for k in clips.k]))

    def times(self, k: int) -> Tensor:
        """The times of the sample with global index k, [T].

        An expert learns the windows that it is asked for: those whose noisiest frame lies in its span.
        """
        flow, (low, high) = self.settings.flow, self.draws.span
        generator = keyed("forcing", self.seed, k)
        while True:
            t = torch.stack([draw_t(flow.t_sampling, flow.shift, generator, (0.0, high)) for _ in self.sizes])
            t = t.repeat_interleave(self.sizes)
            if float(torch.rand((), generator=generator)) < self.forcing.p_history:
                t[: int(torch.randint(1, self.history + 1, (), generator=generator))] = 1
            if 1 - float(t.min()) >= low:
                return t
