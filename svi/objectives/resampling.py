"""Resampling Forcing: the past that training sees is made anew by the very model that is trained (arXiv 2512.15702).

A clip is noised to a random level and finished by the current model in a few steps, under its own true condition and without
gradient. What it got wrong goes into the condition, the target stays clean: E_img of error recycling, but of this clip and of this
step, and no bank.
"""

import torch
from torch import Tensor, nn

from svi.method import recycle
from svi.method.flow import EVERYWHERE
from svi.objectives.history import History
from svi.objectives.objective import Clips, Setup


class Resampling(History):
    """Flow matching under motion frames that the current model has finished from noise."""

    reads = ("resampling",)

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        train, self.own = self.settings.train, self.settings.resampling
        steps: float = train.steps_over(len(setup.data))
        if train.budget == "evaluations":  # those behind the warm-up cost 1 + own.steps
            steps /= 1 + self.own.steps * (1 - self.own.warmup)
        self.warmup = round(self.own.warmup * steps)
        self._error = 0.0

    def past(self, model: nn.Module, clips: Clips, true: Tensor, step: int) -> Tensor:
        """y + (x~ - x): of the clip's first latent frames, which the condition shows, or of its last, which it would hand on.

        Raises ValueError for a model that cannot finish a clip, or is given the frames that it should make.
        """
        if step < self.warmup:
            return true
        given = self.backbone.learned(clips.condition) is not None
        self.own.check(whole=self.draws.span == EVERYWHERE, given=given)
        last = clips.latents.shape[2] - self.frames
        start = last if self.own.frame == "last" else int(self.settings.condition.anchor)
        error = (self.resampled(model, clips) - clips.latents)[:, :, start : start + self.frames]
        self._error = float(error.square().mean().sqrt())
        return true + error

    @torch.no_grad()
    def resampled(self, model: nn.Module, clips: Clips) -> Tensor:
        """The clips from noise levels sigma of logit-normal draws, by Euler steps of equal size. [B, C, T, h, w]"""
        draws = [torch.randn((), generator=g) for g in clips.generators]
        sigma = torch.sigmoid(self.own.mean + self.own.deviation * torch.stack(draws))
        noise = torch.stack([torch.randn(self.backbone.latent_shape, generator=g) for g in clips.generators])
        x = recycle.interpolate(clips.latents, noise, 1 - sigma)
        for done in range(self.own.steps):
            t = 1 - sigma * (1 - done / self.own.steps)
            v = self.backbone.velocity(model, x, t, clips.condition, clips.text)
            x = x + recycle.over(sigma / self.own.steps, x) * v
        return self.backbone.finish(x, clips.condition)

    def log(self) -> dict[str, float]:
        """The root mean square of what the last micro-batch was given as errors; 0 during the warm-up."""
        return {"train/resampled": self._error}
