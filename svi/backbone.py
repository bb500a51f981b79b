"""The protocol of a backbone: what training and generation may ask of a video diffusion model."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn


class Backbone(Protocol):
    """Encoders, velocity and decoder of an image-to-video flow-matching model.

    Pixels [B, F, H, W, 3] uint8; latents X [B, C, T, h, w] float; text [B, tokens, channels]; condition y [B, 4 + C, T, h, w].
    """

    transformer: nn.Module
    clip_frames: int
    latent_shape: tuple[int, int, int, int]
    lora_targets: tuple[str, ...]

    def encode(self, frames: Tensor) -> Tensor:
        """Latents of whole clips."""

    def decode(self, latents: Tensor) -> Tensor:
        """Pixels of whole clips."""

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """One text embedding a prompt."""

    def condition(self, motion: Tensor, reference: Tensor, padding: str | int) -> Tensor:
        """Condition channels from motion frames [B, m, H, W, 3] and the reference image [B, H, W, 3]: mask, then latents."""

    def condition_from_latents(self, motion: Tensor, reference: Tensor, padding: str | int) -> Tensor:
        """The same from motion latents [B, C, m', h, w]: the hand-off that never leaves latent space."""

    def latent_frames(self, frames: int) -> int:
        """Latent frames that hold the last `frames` pixel frames of a clip."""

    def velocity(self, transformer: nn.Module, x_t: Tensor, t: Tensor, condition: Tensor, text: Tensor) -> Tensor:
        """v = dX/dt at t [B], pointing from noise to data. `transformer` may be wrapped (PEFT, DeepSpeed)."""
