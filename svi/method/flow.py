"""Timesteps of rectified flow: shift, the training table, inference timesteps, slots and loss weights.

t runs from 0 (noise) to 1 (data) as in the paper; sigma = 1 - t is what Wan's model takes, times 1000.
"""

from functools import cache

import torch
from torch import Tensor

TIMESTEPS = 1000  # of the training table; Wan's and diffusers' timestep is 1000 sigma
EVERYWHERE = (0.0, 1.1)  # all noise levels, low <= sigma < high: sigma = 1 too


def shifted(u: Tensor, shift: float) -> Tensor:
    """sigma = s u / (1 + (s - 1) u), element-wise on u in [0, 1] (Wan; shift 5: 5u / (1 + 4u))."""
    return shift * u / (1 + (shift - 1) * u)


def training_sigmas(shift: float) -> Tensor:
    """The 1000 shifted training noise levels, falling from 1 (authors' code). [1000]"""
    return shifted(torch.linspace(1, 0, TIMESTEPS + 1, dtype=torch.float64)[:-1], shift).float()


def inference_sigmas(steps: int, shift: float) -> Tensor:
    """Noise levels of a `steps`-step Euler sampler, falling from 1; the final 0 is left out. [steps]"""
    return shifted(torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1], shift).float()


def slot_times(steps: int, shift: float, grid: str) -> Tensor:
    """The t that each slot of the bank stands for. [steps]

    grid "inference": t of the inference timesteps (paper, authors' code); "linear": linspace(0, 1) (project's notes).
    """
    if grid == "linear":
        return torch.linspace(0, 1, steps)
    return 1 - inference_sigmas(steps, shift)


def nearest_slot(t: Tensor, times: Tensor) -> Tensor:
    """Index of the slot whose time is nearest to each t. t [B], times [S] -> int64 [B]"""
    return (t[:, None] - times[None, :]).abs().argmin(dim=1)


@cache
def _sigmas_within(shift: float, low: float, high: float) -> Tensor:
    """Of the training table, float64, those of low <= sigma < high as float32."""
    sigmas = shifted(1 - torch.arange(TIMESTEPS, dtype=torch.float64) / TIMESTEPS, shift)
    within = sigmas[(sigmas.float() >= low) & (sigmas.float() < high)]
    if not len(within):
        raise ValueError(
            f"no training timestep of flow.shift {shift:g} has a noise level from {low:g} to {high:g}, "
            "so this expert has nothing to learn; set another backbone.boundary"
        )
    return within


def draw_t(sampling: str, shift: float, generator: torch.Generator, span: tuple[float, float] = EVERYWHERE) -> Tensor:
    """One training time t, scalar: uniform (notes), or of a uniform index into the shifted table (authors' code).

    Of the times of a span of noise levels, low <= sigma < high, alone. Raises ValueError if the table has none there.
    """
    low, high = span
    if sampling == "uniform":
        first, last = max(1 - high, 0.0), min(1 - low, 1.0)
        return first + (last - first) * torch.rand((), generator=generator)
    sigmas = _sigmas_within(shift, low, high)
    return (1 - sigmas[int(torch.randint(len(sigmas), (), generator=generator))]).float()


def bell(sigma: Tensor, shift: float) -> Tensor:
    """Loss weight of the authors' code: exp(-2 ((1000 sigma - 500) / 1000)^2), minus its minimum, mean 1 over the table.

    0 at sigma = 1, about 2.08 at sigma = .5. Shape kept.
    """

    def raw(s: Tensor) -> Tensor:
        return torch.exp(-2 * ((TIMESTEPS * s - TIMESTEPS / 2) / TIMESTEPS) ** 2)

    table = raw(training_sigmas(shift).double())
    floor = table.min()
    return ((raw(sigma.double()) - floor).clamp_min(0) / (table - floor).mean()).to(sigma.dtype)
