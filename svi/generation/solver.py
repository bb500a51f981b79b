"""The solvers of sampling: diffusers' schedulers at the noise levels of the paper's figures, and one for few-step students."""

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from torch import Tensor

from svi.method import flow
from svi.method.draws import keyed
from svi.settings import GenerateSettings


def solver(settings: GenerateSettings) -> Any:
    """A fresh scheduler with its timesteps set; one a clip, since it counts steps and UniPC remembers outputs.

    "euler": sigmas shift(linspace(1, 0, steps + 1)[:-1]), the last .0926 at 50 steps and shift 5 (authors' code).
    "unipc": diffusers' own flow sigmas, whose timesteps are whole numbers. "renoise": the sigmas of euler.
    """
    scheduler: Any
    sigmas = flow.inference_sigmas(settings.steps, settings.shift).tolist()
    if settings.solver == "renoise":
        return Renoising(sigmas)
    if settings.solver == "euler":
        scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)  # the sigmas are shifted already
        scheduler.set_timesteps(sigmas=sigmas)
    else:
        scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=settings.shift
        )
        scheduler.set_timesteps(settings.steps)
    scheduler.set_begin_index(0)
    return scheduler


class Renoising:
    """Each step estimates the clip and noises it anew to the next level, as few-step students are trained (Self-Forcing's code).

    The noise of a clip's later steps is keyed by the noise that it begins from: so it does not matter what is made beside it, or
    whether the film was stopped before it. diffusers' own stochastic sampling draws from the process's generator instead.
    """

    def __init__(self, sigmas: Sequence[float]) -> None:
        """Noise levels, falling, without the final 0."""
        self.timesteps = [flow.TIMESTEPS * sigma for sigma in sigmas]
        self._following = iter([*sigmas[1:], 0.0])
        self._sources: list[torch.Generator] = []

    def step(self, output: Tensor, timestep: float, x: Tensor, return_dict: bool = False) -> tuple[Tensor]:
        """x_next = (1 - sigma_next) x0 + sigma_next n with x0 = x - sigma output; at the first step x is the clip's noise."""
        self._sources = self._sources or [keyed("renoise", _digest(noise)) for noise in x]
        estimate, sigma = x - timestep / flow.TIMESTEPS * output, next(self._following)
        noise = torch.stack([torch.randn(x.shape[1:], generator=source) for source in self._sources])
        return ((1 - sigma) * estimate + sigma * noise,)


def _digest(noise: Tensor) -> str:
    return hashlib.sha256(noise.numpy().tobytes()).hexdigest()
