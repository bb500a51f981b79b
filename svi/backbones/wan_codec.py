"""A codec that loses something, and may compress time: diffusers' AutoencoderKLWan at small size, trained here."""

from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from diffusers import AutoencoderKLWan
from diffusers.models.autoencoders.autoencoder_kl_wan import WanCausalConv3d
from torch import Tensor, nn
from torch.nn import functional

from svi.artifacts import VAE
from svi.backbones.wan_vae import pixels, statistics
from svi.settings import TinySettings

_AT_ONCE = 16  # clips of five frames, so that memory stays bounded


class WanCodec:
    """Encodes clips of 4 k + 1 frames into k + 1 latent frames, or each frame alone.

    Each channel has mean 0 and variance 1 over the training clips.
    """

    def __init__(self, vae: AutoencoderKLWan) -> None:
        self.vae = vae.requires_grad_(False).eval()
        if self._alone:
            _of_one_frame(vae)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """From a folder that `save` wrote."""
        return cls(AutoencoderKLWan.from_pretrained(folder / VAE, torch_dtype=torch.float32))

    def save(self, folder: Path) -> None:
        """In diffusers' layout."""
        self.vae.save_pretrained(folder / VAE)

    def standardise(self, frames: Tensor) -> None:
        """Measure the latents of clips [N, F, H, W, 3] uint8, which are then of unit variance."""
        channels = self.vae.config.z_dim
        self.vae.register_to_config(latents_mean=[0.0] * channels, latents_std=[1.0] * channels)
        latents = self.encode(frames)
        std, mean = torch.std_mean(latents, dim=(0, 2, 3, 4))
        self.vae.register_to_config(latents_mean=mean.tolist(), latents_std=std.tolist())

    @torch.no_grad()
    def encode(self, frames: Tensor) -> Tensor:
        """[B, F, H, W, 3] uint8 -> [B, C, T, h, w], the distribution's mode."""
        mean, std = statistics(self.vae)
        clips, at_once = (frames.flatten(0, 1)[:, None], 5 * _AT_ONCE) if self._alone else (frames, _AT_ONCE)
        mode: Tensor = torch.cat(
            [self.vae.encode(pixels(some)).latent_dist.mode() for some in torch.split(clips, at_once)]
        )
        if self._alone:
            mode = torch.unflatten(mode[:, :, 0], 0, frames.shape[:2]).transpose(1, 2)
        return (mode - mean) / std

    @torch.no_grad()
    def decode(self, latents: Tensor, *, truncate: bool = False) -> Tensor:
        """[B, C, T, h, w] -> [B, F, H, W, 3] uint8"""
        mean, std = statistics(self.vae)
        latents = latents * std + mean
        clips, at_once = latents, _AT_ONCE
        if self._alone:
            clips, at_once = latents.transpose(1, 2).flatten(0, 1)[:, :, None], 5 * _AT_ONCE
        x = torch.cat([self.vae.decode(some).sample for some in torch.split(clips, at_once)])
        if self._alone:
            x = torch.unflatten(x[:, :, 0], 0, (len(latents), -1)).transpose(1, 2)
        x = x.permute(0, 2, 3, 4, 1).add(1).mul(127.5)
        return (x if truncate else x.round()).clamp(0, 255).to(torch.uint8)

    @property
    def _alone(self) -> bool:
        """Whether each frame is encoded as a clip of its own."""
        return not any(self.vae.config.temperal_downsample)


class TrainedCodec(nn.Module):
    """A codec in training: its loss is the mean squared error, and a little of the divergence from a normal distribution."""

    KL = 1e-6

    def __init__(self, settings: TinySettings) -> None:
        """With random weights from `settings.seed`."""
        super().__init__()
        torch.manual_seed(settings.seed)
        halvings, channels = settings.codec_patch.bit_length() - 1, settings.latent_channels
        self.vae = AutoencoderKLWan(
            base_dim=settings.codec_width,
            z_dim=channels,
            dim_mult=[1, *[2] * halvings],
            num_res_blocks=1,
            temperal_downsample=[settings.codec_frames == 4 and level >= halvings - 2 for level in range(halvings)],
            latents_mean=[0.0] * channels,
            latents_std=[1.0] * channels,
        )
        if settings.codec_frames == 1:
            _of_one_frame(self.vae)

    def forward(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """Of clips [B, F, H, W, 3] uint8."""
        x = pixels(frames)
        found: Any = self.vae.encode(x).latent_dist
        shown = self.vae.decode(found.sample(generator)).sample
        loss: Tensor = (shown - x).square().mean() + self.KL * found.kl().mean()
        return loss


def _of_one_frame(vae: AutoencoderKLWan) -> None:
    """Convolve a frame alone by what a causal kernel has for the present: zeros come before it. Two to three times as fast."""
    for module in vae.modules():
        if isinstance(module, WanCausalConv3d):
            module.forward = partial(_convolved, module)


def _convolved(module: WanCausalConv3d, x: Tensor, cache_x: None = None) -> Tensor:
    """[B, C, 1, H, W] -> [B, D, 1, h, w]"""
    now = functional.pad(x.squeeze(2), module._padding[:4])
    return functional.conv2d(now, module.weight[:, :, -1], module.bias, module.stride[1:])[:, :, None]
