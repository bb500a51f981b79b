"""The solvers of the sampling ODE: diffusers' schedulers at the noise levels that the paper's figures were made with."""

from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler

from svi.method import flow
from svi.settings import GenerateSettings


def solver(settings: GenerateSettings) -> Any:
    """A fresh scheduler with its timesteps set; one a clip, since it counts steps and UniPC remembers outputs.

    "euler": sigmas shift(linspace(1, 0, steps + 1)[:-1]), the last .0926 at 50 steps and shift 5 (authors' code).
    "unipc": diffusers' own flow sigmas, whose timesteps are whole numbers.
    """
    scheduler: Any
    if settings.solver == "euler":
        scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)  # the sigmas are shifted already
        scheduler.set_timesteps(sigmas=flow.inference_sigmas(settings.steps, settings.shift).tolist())
    else:
        scheduler = UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=settings.shift
        )
        scheduler.set_timesteps(settings.steps)
    scheduler.set_begin_index(0)
    return scheduler
