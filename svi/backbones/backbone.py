"""The protocol of a backbone: what training and generation may ask of a video diffusion model."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor, nn

from svi.settings import ConditionSettings

Condition = dict[str, Tensor]
"""What a clip is conditioned on besides text, every tensor with the batch in front. Always there: "latents" [B, M + C, T, h, w],
M mask channels (1 where a frame is given), then the condition latents. Wan 2.1 adds "image" [B, 257, 1280], CLIP's feature; a
signal (svi/conditions) adds what the clip is given of it, under its key."""
IMAGE = ("latents", "image")
"""What of it comes from the start image and the frames handed on; all else are signals."""


class Backbone(Protocol):
    """Encoders, velocity and decoder of an image-to-video flow-matching model.

    Pixels [B, F, H, W, 3] uint8; latents X [B, C, T, h, w] float32 on the CPU; text [B, tokens, channels]. The transformer may lie
    on another device and in another precision: `velocity` moves what it is given there, and its answer back.
    """

    transformers: dict[str, nn.Module]
    """By expert, in the order of falling noise. One-transformer models have the expert "transformer" alone."""
    clip_frames: int
    latent_shape: tuple[int, int, int, int]
    lora_targets: tuple[str, ...]

    def resize(self, height: int, width: int) -> None:
        """Make clips of so many pixels from now on, with the same weights. Raises ValueError for a size that does not fit."""

    def expert(self, sigma: float) -> str:
        """The expert that works at noise level sigma."""

    def span(self, expert: str) -> tuple[float, float]:
        """Noise levels low <= sigma < high of an expert; high is above 1 for the first one."""

    def encode(self, frames: Tensor) -> Tensor:
        """Latents of whole clips."""

    def decode(self, latents: Tensor, *, truncate: bool = False) -> Tensor:
        """Pixels of whole clips, at the nearest of 256 levels; `truncate`: at the one below."""

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """One text embedding a prompt."""

    def free_text_encoder(self) -> None:
        """Give its memory back; the next encode_text loads it again."""

    def condition(
        self, motion: Tensor, reference: Tensor, settings: ConditionSettings, latents: Tensor | None = None
    ) -> Condition:
        """From motion frames [B, m, H, W, 3] and the reference image [B, H, W, 3].

        `latents` [B, C, m', h, w] stand in for the encoded motion frames: the hand-off that never leaves latent space.
        """

    def latent_frames(self, frames: int) -> int:
        """Latent frames that hold the last `frames` pixel frames of a clip."""

    def velocity(
        self, transformer: nn.Module, x_t: Tensor, t: Tensor, condition: Condition, text: Tensor, branch: str = "cond"
    ) -> Tensor:
        """v = dX/dt at t [B], or at a time for each latent frame [B, T], pointing from noise to data.

        `transformer` may be wrapped (PEFT, DeepSpeed). `branch`, "cond", "uncond" or "silent", keeps the states of caching hooks
        apart.
        """

    def learned(self, condition: Condition) -> Tensor | None:
        """1 where the model predicts, 0 where a latent is given to it clean, [B, 1, T, 1, 1]; None: it predicts everywhere."""

    def finish(self, x: Tensor, condition: Condition) -> Tensor:
        """The clip's latents after the last denoising step: what was given clean is put back."""
