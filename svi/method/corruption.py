"""Helios-style corruption of a condition: the history that training sees is made as bad as the model's own will be.

Two stages one after the other, each left out with probability CLEAN: noise or a loss of resolution, then more or less saturation.
Source: Helios (arXiv 2603.04379, Easy Anti-Drifting) and its code's defaults. All in latent space, one draw a clip; what the mask
channels and an anchor hold is the caller's to keep.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

CLEAN = 0.1  # of each stage
P_NOISE = 0.9  # else a loss of resolution
NOISE = 1 / 3  # largest share
RESOLUTION = 0.9  # smallest share of each side that is kept
LESS, MORE = (0.3, 1.0), (1.0, 1.7)  # factors of saturation, by even chance


def noised(y: Tensor, generator: torch.Generator) -> Tensor:
    """(1 - s) y + s n with s ~ U(0, 1/3)."""
    share = _uniform(0, NOISE, generator)
    return (1 - share) * y + share * torch.randn(y.shape, generator=generator)


def resampled(y: Tensor, generator: torch.Generator) -> Tensor:
    """Every frame made smaller by U(.9, 1), to whole latent pixels, and large again; bilinear.

    Sides of less than 6 latent pixels round back to themselves: there it changes nothing.
    """
    share, frames = _uniform(RESOLUTION, 1, generator), y.transpose(0, 1)
    height, width = y.shape[-2:]
    small = _resized(frames, max(1, round(share * height)), max(1, round(share * width)))
    return _resized(small, height, width).transpose(0, 1)


def saturated(y: Tensor, generator: torch.Generator) -> Tensor:
    """Further from, or nearer to, the mean over channels of each latent pixel: by U(.3, 1) or U(1, 1.7)."""
    more = bool(torch.rand((), generator=generator) < 0.5)
    mean = y.mean(dim=0, keepdim=True)
    return mean + _uniform(*(MORE if more else LESS), generator) * (y - mean)


def corrupted(y: Tensor, generator: torch.Generator) -> Tensor:
    """A condition after both stages. [C, T, h, w] -> [C, T, h, w]"""
    first, kind, second = torch.rand(3, generator=generator).tolist()
    if first >= CLEAN:
        y = (noised if kind < P_NOISE else resampled)(y, generator)
    return y if second < CLEAN else saturated(y, generator)


def _uniform(low: float, high: float, generator: torch.Generator) -> float:
    return low + (high - low) * float(torch.rand((), generator=generator))


def _resized(frames: Tensor, height: int, width: int) -> Tensor:
    """[T, C, h, w]"""
    return F.interpolate(frames, (height, width), mode="bilinear", align_corners=False, antialias=True)
