"""A codec that loses something and compresses time: diffusers' AutoencoderKLWan at small size, trained here."""

from pathlib import Path
from typing import Any, Self

import torch
from diffusers import AutoencoderKLWan
from torch import Tensor, nn

from svi.artifacts import VAE
from svi.settings import TinySettings


class WanCodec:
    """Encodes clips of 4 k + 1 frames into k + 1 latent frames, each channel with mean 0 and variance 1 over the training clips."""

    def __init__(self, vae: AutoencoderKLWan) -> None:
        self.vae = vae.requires_grad_(False).eval()

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
        mean, std = self._statistics
        mode: Tensor = torch.cat(
            [self.vae.encode(_pixels(some)).latent_dist.mode() for some in torch.split(frames, _AT_ONCE)]
        )
        return (mode - mean) / std

    @torch.no_grad()
    def decode(self, latents: Tensor, *, truncate: bool = False) -> Tensor:
        """[B, C, T, h, w] -> [B, F, H, W, 3] uint8"""
        mean, std = self._statistics
        x = torch.cat([self.vae.decode(some).sample for some in torch.split(latents * std + mean, _AT_ONCE)])
        x = x.permute(0, 2, 3, 4, 1).add(1).mul(127.5)
        return (x if truncate else x.round()).clamp(0, 255).to(torch.uint8)

    @property
    def _statistics(self) -> tuple[Tensor, Tensor]:
        config = self.vae.config
        mean, std = (torch.tensor(values)[:, None, None, None] for values in (config.latents_mean, config.latents_std))
        return mean, std


_AT_ONCE = 16  # clips, so that memory stays bounded


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
            temperal_downsample=[level >= halvings - 2 for level in range(halvings)],  # twice by two
            latents_mean=[0.0] * channels,
            latents_std=[1.0] * channels,
        )

    def forward(self, frames: Tensor, generator: torch.Generator) -> Tensor:
        """Of clips [B, F, H, W, 3] uint8."""
        x = _pixels(frames)
        found: Any = self.vae.encode(x).latent_dist
        shown = self.vae.decode(found.sample(generator)).sample
        loss: Tensor = (shown - x).square().mean() + self.KL * found.kl().mean()
        return loss


def _pixels(frames: Tensor) -> Tensor:
    """[B, F, H, W, 3] uint8 -> [B, 3, F, H, W] in [-1, 1]"""
    return frames.permute(0, 4, 1, 2, 3).float().div(127.5).sub(1)
