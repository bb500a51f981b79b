"""The image condition of a clip: what is known, the padding after it, in pixels or in latents, and the mask before both."""

from collections.abc import Collection

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


def unknown(condition: Condition, frames: int | None = None) -> Condition:
    """The same with nothing given: zeros, and a mask that is 0 everywhere. For methods whose past lies in the sequence itself.

    `frames`: for so many latent frames instead.
    """
    latents = condition["latents"]
    b, channels, t, h, w = latents.shape
    nothing = {name: torch.zeros_like(value) for name, value in condition.items()}
    return {**nothing, "latents": latents.new_zeros(b, channels, t if frames is None else frames, h, w)}


def without(condition: Condition, names: Collection[str]) -> Condition:
    """The same with nothing given under these names."""
    return {name: torch.zeros_like(value) if name in names else value for name, value in condition.items()}


def past_of(condition: Condition, settings: ConditionSettings, channels: int, frames: int) -> Tensor:
    """The condition's latents of its motion frames, so many behind the anchor. [B, C, frames, h, w]"""
    return condition["latents"][:, -channels:, settings.anchor : settings.anchor + frames]


def with_past(condition: Condition, settings: ConditionSettings, past: Tensor) -> Condition:
    """The same with other latents of the motion frames, as `past_of` gives them; where the last one is repeated, it changes too."""
    channels, frames = past.shape[1:3]
    latents = condition["latents"].clone()
    change = past - past_of(condition, settings, channels, frames)
    known = settings.anchor + frames
    latents[:, -channels:, settings.anchor : known] = past
    if settings.padding == "repeat":
        latents[:, -channels:, known:] += change[:, :, -1:]
    return {**condition, "latents": latents}
