"""Models of random weights at true or test geometry, and what a forward pass of them costs in arithmetic."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from svi.backbones.architectures import ARCHITECTURES, CLIP_TOKENS, Architecture
from svi.backbones.catalogue import EXPERT, MODELS, Geometry
from svi.settings import BackboneSettings, DataSettings

TEST: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 36,
    "out_channels": 16,
    "cross_attn_norm": True,
    "ffn_dim": 32,
    "num_layers": 2,
    "text_dim": 32,
    "image_dim": 32,
    "added_kv_proj_dim": 24,
}


@dataclass(frozen=True)
class Size:
    """A Wan image-to-video model: its architecture and geometry, clip and numbers, and a LoRA's rank."""

    built: Architecture
    shape: Geometry
    data: DataSettings
    backbone: BackboneSettings
    rank: int

    @property
    def latent_shape(self) -> tuple[int, int, int, int]:
        """[C, T, h, w]"""
        return self.shape.latent_shape(self.data.height, self.data.width, self.data.clip_frames)

    @property
    def tokens(self) -> int:
        """Of one clip, in the transformer."""
        _, t, h, w = self.latent_shape
        return t * (h // self.shape.patch) * (w // self.shape.patch)

    def flops(self) -> tuple[float, float]:
        """Of one forward pass of one clip: matrix products with weights, and self-attention's 4 N^2 d."""
        wan, n = self.built.transformer, self.tokens
        d = wan["num_attention_heads"] * wan["attention_head_dim"]
        context = self.backbone.text_tokens + (CLIP_TOKENS if self.built.image else 0)
        linear = 8 * n * d**2 + 4 * n * d**2 + 4 * n * context * d + 4 * n * d * wan["ffn_dim"]
        layers = wan["num_layers"]
        return layers * linear, layers * 4.0 * n**2 * d


def _published(name: str) -> Size:
    model = MODELS[name]
    data = DataSettings(clip_frames=model.frames, height=model.height, width=model.width, fps=model.fps)
    return Size(ARCHITECTURES[name], model.geometry, data, BackboneSettings(name=name, dtype="bfloat16"), 128)


SIZES = {name: _published(name) for name in MODELS} | {
    "test": Size(
        Architecture(
            TEST,
            {"base_dim": 8, "num_res_blocks": 1},
            {"d_model": 32, "d_ff": 64, "num_layers": 1, "num_heads": 2, "d_kv": 16, "vocab_size": 64},
            {
                "hidden_size": 32,
                "intermediate_size": 64,
                "num_hidden_layers": 2,
                "num_attention_heads": 2,
                "patch_size": 14,
            },
        ),
        Geometry(image_dim=32),
        DataSettings(clip_frames=9, height=32, width=48),
        BackboneSettings(name="folder", text_tokens=16),
        4,
    ),
}


def random_backbone(size: Size, device: torch.device, experts: Sequence[str] = (EXPERT,)) -> Any:
    """A WanBackbone whose transformers have random weights; it has no files, so its encoders cannot be used."""
    from svi.backbones.wan import WanBackbone

    dtype = getattr(torch, size.backbone.dtype)
    models = {expert: _random(partial(_transformer, size), device, dtype) for expert in experts}
    return WanBackbone(Path("random weights"), size.shape, models, size.backbone, size.data)


def weight_bytes(size: Size) -> int:
    """Of one transformer in its numbers; nothing is allocated."""
    model = _random(partial(_transformer, size), torch.device("meta"), getattr(torch, size.backbone.dtype))
    return sum(parameter.nbytes for parameter in model.parameters())


def _transformer(size: Size) -> nn.Module:
    from diffusers import WanTransformer3DModel

    model: nn.Module = WanTransformer3DModel(**size.built.transformer)
    return model


@dataclass(frozen=True)
class Encoders:
    """What the authors' code runs in every training step: VAE twice (clip, condition), UMT5 and, where there is one, CLIP once."""

    vae: Any
    text: Any
    image: Any
    size: Size
    device: torch.device

    @classmethod
    def random(cls, size: Size, device: torch.device) -> "Encoders":
        """VAE and CLIP in float32, UMT5 in the model's numbers, as WanBackbone loads them."""
        from diffusers import AutoencoderKLWan
        from transformers import CLIPVisionConfig, CLIPVisionModel, UMT5Config, UMT5EncoderModel

        built, image = size.built, None
        text = _random(lambda: UMT5EncoderModel(UMT5Config(**built.text)), device, getattr(torch, size.backbone.dtype))
        if (config := built.image) is not None:
            image = _random(lambda: CLIPVisionModel(CLIPVisionConfig(**config)), device, torch.float32)
        return cls(_random(lambda: AutoencoderKLWan(**built.vae), device, torch.float32), text, image, size, device)

    @torch.no_grad()
    def encode(self) -> None:
        """All that a step needs."""
        for _ in range(2):
            self.clip()
        self.prompt()
        if self.image is not None:
            self.image(torch.rand(1, 3, 224, 224, device=self.device), output_hidden_states=True)

    @torch.no_grad()
    def clip(self) -> None:
        """One clip through the VAE, to latents."""
        data = self.size.data
        pixels = torch.rand(1, 3, data.clip_frames, data.height, data.width, device=self.device) * 2 - 1
        self.vae.encode(pixels).latent_dist.mode()

    @torch.no_grad()
    def frames(self) -> None:
        """One clip back to pixels."""
        self.vae.decode(torch.randn(1, *self.size.latent_shape, device=self.device))

    @torch.no_grad()
    def prompt(self) -> None:
        """One prompt of full length."""
        self.text(torch.ones(1, self.size.backbone.text_tokens, dtype=torch.int64, device=self.device))


def _random(make: Callable[[], nn.Module], device: torch.device, dtype: torch.dtype) -> nn.Module:
    """A module made on the device and in its numbers at once: in float32 on the host it would need twice the memory first."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            module = make()
    finally:
        torch.set_default_dtype(before)
    return module.requires_grad_(False).eval()
