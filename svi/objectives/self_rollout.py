"""Self-Forcing as the project's notes have it: some conditions are the end of the model's own film, the target stays true."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from svi.objectives.objective import Clips, Objective, Setup, mean_over
from svi.objectives.pool import Pool
from svi.objectives.rollout import Rollouts


class SelfRollout(Objective):
    """Scheduled sampling by clips: with p = rollout.share the condition is the end of a film of k ~ U{1..K} clips of the model's
    own, and the target what truly follows it. L = FM + consistency |x0_first - cond|^2 (project's notes).

    The films are made anew every rollout.every steps, from true starts and without gradient; all k of a film are kept, so that
    each is as frequent.
    """

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError as `Rollouts` does."""
        super().__init__(setup)
        self.rollouts, self.pool = Rollouts(setup, followed=True), Pool()

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        if step % self.settings.rollout.every == 0:
            self.refresh(model, step)
        yield from super().losses(model, samples, micro, step, following)

    def refresh(self, model: nn.Module, step: int) -> None:
        """Films of the model as it is now in place of earlier ones."""
        self.pool = Pool()
        for starts in self.rollouts.of_step(step):
            for clips, rolled in enumerate(self.rollouts.roll(model, starts), 1):
                self.pool.add(replace(self.rollouts.true(starts, clips), condition=rolled.after))

    def loss(self, model: nn.Module, clips: Clips, step: int) -> Tensor:
        clips = self.pool.mixed(clips, self.settings.rollout.share)
        v = self.velocity(model, clips)
        consistency: float = self.settings.rollout.consistency
        return self.error(v, clips) + consistency * self.seam(v, clips)

    def seam(self, v: Tensor, clips: Clips) -> Tensor:
        """mean |x0_first - cond|^2: how far the estimate of the first latent frame is from the one that is given. Scalar.

        0 for TI2V-5B, into whose clips the given frame is put as it is.
        """
        if self.backbone.learned(clips.condition) is not None:
            return torch.zeros(())
        estimate = clips.estimate(v)[:, :, 0]
        given = clips.condition["latents"][:, -estimate.shape[1] :, 0]
        return mean_over((estimate - given).square(), None).mean()

    def state_dict(self) -> dict[str, Any]:
        return self.pool.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.pool.load_state_dict(state)
