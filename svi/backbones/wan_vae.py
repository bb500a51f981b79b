"""What stands before and behind diffusers' AutoencoderKLWan, Wan's own or one trained here."""

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor


def pixels(frames: Tensor) -> Tensor:
    """[B, F, H, W, 3] uint8 -> [B, 3, F, H, W] float32 in [-1, 1], as diffusers computes it."""
    return 2 * (frames.permute(0, 4, 1, 2, 3).float() / 255) - 1


def statistics(vae: AutoencoderKLWan) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of its latents, [C, 1, 1, 1] each."""
    mean, std = (
        torch.tensor(values)[:, None, None, None] for values in (vae.config.latents_mean, vae.config.latents_std)
    )
    return mean, std
