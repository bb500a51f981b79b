"""An image as tokens beside those of a prompt, for cross-attention: no weights of its own."""

from math import pi

import torch
from torch import Tensor
from torch.nn import functional as F

from svi.method.draws import keyed

SIDE = 4
TOKENS = SIDE**2


def anchor_tokens(latents: Tensor, channels: int) -> Tensor:
    """One token for each of 4 x 4 parts of an image: the mean of its latents and where it lies, by a fixed random projection.

    [B, C, h, w] -> [B, 16, channels], of unit variance where the latents are: words of the embedded world are fixed random vectors
    as well.
    """
    angle = 2 * pi * (torch.arange(SIDE) + 0.5) / SIDE
    waves = torch.stack([angle.sin(), angle.cos()])
    place = torch.cat([waves[:, :, None].expand(-1, -1, SIDE), waves[:, None].expand(-1, SIDE, -1)])
    means = F.adaptive_avg_pool2d(latents, SIDE)
    features = torch.cat([means, place.expand(len(latents), -1, -1, -1)], dim=1).flatten(2).transpose(1, 2)
    wide = features.shape[2]
    projection = torch.randn(wide, channels, generator=keyed("anchor tokens", wide, channels))
    tokens: Tensor = features @ projection / wide**0.5
    return tokens
