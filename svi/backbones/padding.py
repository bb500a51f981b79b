"""The image condition of a clip: what is known, the padding after it, in pixels or in latents, and the mask before both."""

import torch
from torch import Tensor

from svi.backbones.backbone import Condition
from svi.settings import ConditionSettings


def padded(known: Tensor, reference: Tensor, settings: ConditionSettings, length: int) -> Tensor:
    """`known` [B, C, m, h, w], behind the reference [B, C, 1, h, w] if it is the anchor, then padding up to `length` frames.

    Zeros are mid-grey in pixels. Raises ValueError if more is known than fits.
    """
    if settings.anchor:
        known = torch.cat([reference, known], dim=2)
    missing = length - known.shape[2]
    if missing < 0:
        raise ValueError(f"a condition of {known.shape[2]} frames does not fit into a clip of {length}")
    if settings.padding == "repeat":
        return torch.cat([known, known[:, :, -1:].expand(-1, -1, missing, -1, -1)], dim=2)
    wanted = {"zeros": 0, "reference": missing}.get(str(settings.padding))
    copies = min(int(settings.padding), missing) if wanted is None else wanted
    zeros = torch.zeros_like(reference).expand(-1, -1, missing - copies, -1, -1)
    return torch.cat([known, reference.expand(-1, -1, copies, -1, -1), zeros], dim=2)


def masked(latents: Tensor, channels: int, given: int) -> Tensor:
    """Mask channels that are 1 on the first `given` latent frames, before the latents. [B, C, T, h, w] -> [B, M + C, T, h, w]"""
    mask = torch.zeros_like(latents[:, :1]).repeat(1, channels, 1, 1, 1)
    mask[:, :, :given] = 1
    return torch.cat([mask, latents], dim=1)


def unknown(condition: Condition) -> Condition:
    """The same with nothing given: zeros, and a mask that is 0 everywhere. For methods whose past lies in the sequence itself."""
    return {name: torch.zeros_like(value) for name, value in condition.items()}
