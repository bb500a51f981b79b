"""Errors made by hand: what the paper holds the model's own errors against (arXiv 2510.09212, Table 6), which it does not specify.

In latent space, for that is where all errors are added and training reads no pixels. Each is a degradation of the very latent that
it is added to, x + E, and one of four kinds, all equally likely; none adds something that the model could not have made itself.
Its root mean square is drawn evenly from 0 to twice the given strength, so that kinds differ in what they are, not in size.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import torch
from torch import Tensor
from torch.nn import functional as F

BLUR = (0.5, 1.5)  # standard deviation, latent pixels
_SMALLEST = 1e-12


def noise(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise of standard deviation `level`."""
    return level * torch.randn(x.shape, generator=generator)


def blur(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """Towards a Gaussian blur of every frame; all of the blur where that is less than `level`."""
    sigma = BLUR[0] + (BLUR[1] - BLUR[0]) * float(torch.rand((), generator=generator))
    error = _blurred(x, sigma) - x
    return error * min(1.0, level / _rms(error))


def colour(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """One offset a channel, everywhere the same: what a shift of colour or brightness is to a linear codec."""
    offset = torch.randn(len(x), 1, 1, 1, generator=generator)
    return (offset * (level / _rms(offset))).expand_as(x).clone()


def contrast(x: Tensor, level: float, generator: torch.Generator) -> Tensor:
    """More or less contrast, about each channel's mean over the clip; at least none is left."""
    around = x - x.mean(dim=(1, 2, 3), keepdim=True)
    amount = level / _rms(around)
    more = bool(torch.rand((), generator=generator) < 0.5)
    return around * (amount if more else -min(1.0, amount))


KINDS: Mapping[str, Callable[[Tensor, float, torch.Generator], Tensor]] = MappingProxyType(
    {"noise": noise, "blur": blur, "colour": colour, "contrast": contrast}
)


def handcrafted(x: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """An error E of a random kind for the latent x; its mean root mean square is `strength`. [C, T, h, w] -> [C, T, h, w]"""
    kind = list(KINDS)[int(torch.randint(len(KINDS), (), generator=generator))]
    level = 2 * strength * float(torch.rand((), generator=generator))
    return KINDS[kind](x, level, generator)


def _rms(x: Tensor) -> float:
    return max(float(x.square().mean().sqrt()), _SMALLEST)


def _blurred(x: Tensor, sigma: float) -> Tensor:
    """Gaussian blur over h and w, edges repeated. [C, T, h, w]"""
    reach = round(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1.0) / sigma).square())
    weights = (weights / weights.sum()).to(x.dtype)
    frames = F.pad(x.flatten(0, 1)[:, None], (reach,) * 4, mode="replicate")
    frames = F.conv2d(F.conv2d(frames, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1))
    return frames[:, 0].reshape(x.shape)
