"""Teacher forcing, the fine-tuning's objective: every block of a clip is learned behind the true blocks before it, in one pass."""

import torch
from torch import Tensor, nn

from svi.backbones.attention import blocks, teacher_forcing
from svi.backbones.padding import unknown
from svi.method.draws import keyed
from svi.method.flow import draw_t
from svi.objectives.objective import Clips, Objective, Setup
from svi.parts import CAUSAL, CLEAN_PAST, NO_ANCHOR


class TeacherForcing(Objective):
    """Flow matching on [clean | noisy], a t for each block (the causal models of CausVid, arXiv 2412.07772, before distillation).

    No image is given: a noisy block sees the clean blocks before it, which stand at t = 1 - cache.noise, and itself. A pass has
    twice the tokens of a clip.
    """

    reads = ("cache.noise",)
    needs = (CAUSAL, NO_ANCHOR)
    gives = (CLEAN_PAST,)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.frames, self.sigma = setup.backbone.latent_shape[1], setup.settings.cache.noise
        self.sizes = blocks(self.frames, setup.settings.method.block)
        self.tokens *= 2

    def loss(self, model: nn.Module, clips: Clips, step: int) -> Tensor:
        """The mean squared error of the noisy half's velocity, but for the first frame: a film is given that one."""
        past = self.past(clips)
        noisy = clips.changed(t=torch.stack([self.times(k) for k in clips.k]))
        x, t = torch.cat([past.x_t, noisy.x_t], dim=2), torch.cat([past.t, noisy.t], dim=1)
        with teacher_forcing(model, self.sizes):
            v = self.backbone.velocity(model, x, t, unknown(clips.condition, 2 * self.frames), clips.text)
        return (v[:, :, self.frames + 1 :] - noisy.target[:, :, 1:]).square().mean()

    def past(self, clips: Clips) -> Clips:
        """The true frames, at the noise level at which films remember theirs."""
        sources = [keyed("past", self.seed, k) for k in clips.k]
        noise = torch.stack([torch.randn(self.backbone.latent_shape, generator=source) for source in sources])
        return clips.changed(noise=noise, t=torch.full((len(noise), self.frames), 1 - self.sigma))

    def times(self, k: int) -> Tensor:
        """Of the sample with global index k: one t a block, each within the noise levels of the expert. [T]"""
        flow, source = self.settings.flow, keyed("blocks", self.seed, k)
        t = [draw_t(flow.t_sampling, flow.shift, source, self.draws.span) for _ in self.sizes]
        return torch.stack(t).repeat_interleave(torch.tensor(self.sizes))
