"""Self-Forcing as it was released: a few-step student, its own films, and distribution matching against a teacher and a critic."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from svi.backbones.backbone import Backbone
from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Denoiser, Given, Seeing, themselves
from svi.generation.loop import State
from svi.generation.solver import solver
from svi.method.draws import keyed
from svi.method.flow import TIMESTEPS, shifted
from svi.method.recycle import over
from svi.objectives.critic import Critic, twin
from svi.objectives.objective import Clips, Objective, Setup, mean_over
from svi.objectives.rollout import Rollouts, resting
from svi.settings import GenerateSettings

SIGMAS = (0.02, 0.98)  # least and most noise of distribution matching and the critic (Self-Forcing's code)


@dataclass(frozen=True)
class Window:
    """The last clip of some films of the student: its estimate, and the condition that truly starts there."""

    names: Sequence[str]
    estimate: Tensor
    true: Given


class Leaving(Denoiser):
    """The films' sampler, left at one step with its estimate of the clip; a gradient goes through that step alone."""

    def __init__(
        self, backbone: Backbone, models: Mapping[str, nn.Module], settings: GenerateSettings, last: int
    ) -> None:
        super().__init__(backbone, models, settings)
        self.last = last

    def clip(self, given: Given, x: Tensor, seeing: Seeing = themselves) -> Tensor:
        steps = solver(self.settings)
        with torch.no_grad():
            for timestep in steps.timesteps[: self.last]:
                v = self.velocity(timestep / TIMESTEPS, x, given, seeing)
                x = steps.step(-v, timestep, x)[0]
        sigma = steps.timesteps[self.last] / TIMESTEPS
        return self.backbone.finish(x + sigma * self.velocity(sigma, x, given, seeing), given.condition)


class SelfForcing(Objective):
    """Self-Forcing (arXiv 2506.08009): clip after clip to one random step of the sampler, a gradient through that step of the last
    clip alone, and the loss of distribution matching (DMD, arXiv 2311.18828).

    Teacher and critic see the true frame that a window starts from, never the one that the student got to: a teacher that is shown
    a drifted frame goes on from it and agrees. The teacher is the model that the training starts from (the base
    model, or what train.from makes of it); it has no step of its own.
    """

    def __init__(self, setup: Setup) -> None:
        """Raises ValueError as `Rollouts` does, and for films that are sampled otherwise."""
        super().__init__(setup)
        read = setup.settings
        if read.generate.solver != "renoise":
            raise ValueError(
                f"generate.solver is {read.generate.solver!r}, but the student learns to sample with 'renoise'"
            )
        self.rollouts = Rollouts(setup, followed=True, guided=read.distillation.guidance > 1)
        guidance = {"guidance": read.distillation.guidance, "guidance_low": None}
        models = {setup.expert: twin(setup.model).requires_grad_(False)}
        self.teacher = Denoiser(setup.backbone, models, read.generate.model_copy(update=guidance))
        self.critic = Critic(setup.model, read.train, read.distillation.critic_lr)

    def losses(self, model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        """The student's, then the critic's updates on the same windows."""
        generator = keyed("exit", self.seed, step)
        last = int(torch.randint(self.settings.generate.steps, (), generator=generator))
        clips = 1 + int(torch.randint(self.rollouts.clips, (), generator=generator))
        windows = []
        for start in range(0, len(samples), micro):
            window = self.window(model, [str(k) for k in samples[start : start + micro]], last, clips)
            windows.append(replace(window, estimate=window.estimate.detach()))
            yield self.matching(window)
        for update in range(self.settings.distillation.critic_updates):
            self.critic.update([partial(self.criticism, window, update) for window in windows])

    def window(self, model: nn.Module, names: Sequence[str], last: int, clips: int) -> Window:
        """The last of so many clips, all left at step `last` of their sampling."""
        starts = self.rollouts.starts(names)
        past: State | None = None
        with resting(model):
            student = Leaving(self.backbone, {self.rollouts.expert: model}, self.settings.generate, last)
            loop = ClipLoop(student, self.settings)
            with torch.no_grad():
                for clip in range(clips - 1):
                    _, past = loop.next(starts, clip, past)
            estimate = student.clip(loop.given(starts, clips - 1, past), starts.noise(clips - 1))
        true = Given(self.rollouts.true(starts, clips - 1).condition, starts.prompt, starts.negative)
        return Window(names, estimate, true)

    def matching(self, window: Window) -> Tensor:
        """1/2 |x0 - sg(x0 - g)|^2 with g = (x_critic - x_teacher) / mean|x0 - x_teacher|, at x_t' = t' x0 + (1 - t') n."""
        clips = self.noised(window, "matching")
        with torch.no_grad():
            real = clips.estimate(self.teacher.velocity(1 - clips.t, clips.x_t, window.true))
            fake = clips.estimate(self.velocity(self.critic.model, clips))
        return matching(window.estimate, real, fake, self.backbone.learned(clips.condition))

    def criticism(self, window: Window, update: int) -> Tensor:
        """Plain flow matching of what the student made."""
        return self.matched(self.critic.model, self.noised(window, update))

    def noised(self, window: Window, use: int | str) -> Clips:
        """The student's clips under the true condition, with t' and noise for one use of them.

        1 - t' is uniform, shifted as in training (flow.shift) and kept within SIGMAS.
        """
        sources = [keyed("self-forcing", self.seed, name, use) for name in window.names]
        uniform = torch.stack([torch.rand((), generator=source) for source in sources])
        t = 1 - shifted(uniform, self.settings.flow.shift).clamp(*SIGMAS)
        noise = torch.stack([torch.randn(self.backbone.latent_shape, generator=source) for source in sources])
        return Clips(window.estimate.detach(), window.true.condition, window.true.text, noise, t, [], sources)

    def log(self) -> dict[str, float]:
        """The critic's last loss."""
        return {"train/critic": self.critic.last}

    def state_dict(self) -> dict[str, Any]:
        """The critic: the teacher is the base model, and every draw is keyed by its sample."""
        return self.critic.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.critic.load_state_dict(state)


def matching(estimate: Tensor, real: Tensor, fake: Tensor, learned: Tensor | None) -> Tensor:
    """The loss whose gradient by the estimate is g, over what is learned. [B, C, T, h, w] -> scalar"""
    scale = mean_over((estimate.detach() - real).abs(), learned).clamp_min(1e-6)
    target = estimate.detach() - (fake - real) / over(scale, real)
    return mean_over(0.5 * (estimate - target).square(), learned).mean()
