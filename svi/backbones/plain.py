"""What backbones with one transformer have in common: a base for one of your own, which adds encoders, decoder and velocity."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from svi.backbones.backbone import Condition
from svi.backbones.catalogue import EXPERT, Geometry
from svi.backbones.padding import masked, padded
from svi.method.flow import EVERYWHERE
from svi.settings import BackboneSettings, ConditionSettings, DataSettings


class PlainBackbone(ABC):
    """One transformer that predicts every latent frame (protocol: svi.backbones.backbone.Backbone).

    A subclass sets `geometry`, writes what is abstract here, and may set `version` and `lora_targets`. Its transformer is one of
    diffusers' ModelMixin with `patch_size` in its config, called with latents [B, C, T, h, w] first.
    """

    geometry: Geometry
    """A plan asks the class for it, before anything is loaded."""
    version = 1
    gives: tuple[str, ...] = ()
    """(svi.parts.CAUSAL,) where the transformer is Wan's, which can attend block-causally."""
    lora_targets: tuple[str, ...] = ()
    """Ends of the names of linear layers, where the transformer is Wan's; all others train every parameter."""

    def __init__(self, transformer: nn.Module | None, data: DataSettings) -> None:
        """None where a stage only encodes. Raises ValueError for a size that the geometry cannot have."""
        self.transformers = {} if transformer is None else {EXPERT: transformer}
        self.clip_frames = data.clip_frames
        self.latent_shape = self.geometry.latent_shape(data.height, data.width, data.clip_frames)

    @classmethod
    @abstractmethod
    def load(
        cls, folder: Path | None, settings: BackboneSettings, data: DataSettings, experts: Sequence[str] | None = None
    ) -> Self:
        """As a stage asks for it. `folder`: backbone.weights, if it was set; no `experts`: it will only encode."""

    def resize(self, height: int, width: int) -> None:
        """Raises ValueError for a size that does not divide into tokens."""
        self.latent_shape = self.geometry.latent_shape(height, width, self.clip_frames)

    def expert(self, sigma: float) -> str:
        return EXPERT

    def span(self, expert: str) -> tuple[float, float]:
        return EVERYWHERE

    @abstractmethod
    def encode(self, frames: Tensor) -> Tensor:
        """Whole clips or their first frames, [B, F, H, W, 3] uint8 -> [B, C, T, h, w] float32, about unit variance."""

    @abstractmethod
    def decode(self, latents: Tensor, *, truncate: bool = False) -> Tensor:
        """[B, C, T, h, w] -> [B, F, H, W, 3] uint8, at the nearest of 256 levels; `truncate`: at the one below."""

    @abstractmethod
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """[B, tokens, channels] float32"""

    @abstractmethod
    def velocity(
        self, transformer: nn.Module, x_t: Tensor, t: Tensor, condition: Condition, text: Tensor, branch: str = "cond"
    ) -> Tensor:
        """v = dX/dt [B, C, T, h, w] at t [B] or [B, T], from 0 (noise) to 1 (data); `transformer` may be wrapped, and elsewhere."""

    def free_text_encoder(self) -> None:  # noqa: B027 (most have none that is large)
        """Give its memory back."""

    @torch.no_grad()
    def condition(
        self, motion: Tensor, reference: Tensor, settings: ConditionSettings, latents: Tensor | None = None
    ) -> Condition:
        """A mask that is 1 on the first frame, then latents of the motion frames, then of the padding. [B, M + C, T, h, w]"""
        known = self.encode(motion) if latents is None else latents
        whole = padded(known, self.encode(reference[:, None]), settings, self.latent_shape[1])
        return {"latents": masked(whole, self.geometry.mask_channels, 1)}

    def latent_frames(self, frames: int) -> int:
        return self.geometry.latent_frames(frames)

    def learned(self, condition: Condition) -> Tensor | None:
        """None: it predicts everywhere."""
        return None

    def finish(self, x: Tensor, condition: Condition) -> Tensor:
        return x
