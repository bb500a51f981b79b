"""Noise levels of each latent frame: the order in which frames are denoised, and the Euler steps along it."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor


def pyramid(sigmas: Sequence[float], frames: int, stagger: float = 0.0) -> Tensor:
    """Levels [moments, frames] float64: frame f is at sigmas[step], step(m, f) = clip(floor(m - stagger f), 0, S) at moment m.

    From the noise of all frames to the end of all (Diffusion Forcing, arXiv 2407.01392: 0 is all together, S one after another).
    """
    table, lag = torch.tensor(sigmas, dtype=torch.float64), stagger * torch.arange(frames)
    moments, last = [torch.zeros(frames, dtype=torch.int64)], len(sigmas) - 1
    while int(moments[-1].min()) < last:
        moments.append((len(moments) - lag).floor().long().clamp(0, last))
    return table[torch.stack(moments)]


def descended(x: Tensor, levels: Tensor, velocity: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """x [B, C, T, h, w] at the last of these levels [moments, T], from the first, by Euler steps along velocity(level [T], x)."""
    for now, then in pairwise(levels):
        x = x + (now - then).to(x.dtype)[:, None, None] * velocity(now, x)
    return x
