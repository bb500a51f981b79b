"""Models of random weights at true or test geometry, and what a forward pass of them costs in arithmetic."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from svi.backbones.catalogue import EXPERT, MODELS, Geometry
from svi.settings import BackboneSettings, DataSettings

WAN_14B: dict[str, Any] = {
    "num_attention_heads": 40,
    "attention_head_dim": 128,
    "ffn_dim": 13824,
    "num_layers": 40,
    "text_dim": 4096,
    "image_dim": 1280,
    "added_kv_proj_dim": 5120,
}
TEST: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "ffn_dim": 32,
    "num_layers": 2,
    "text_dim": 32,
    "image_dim": 32,
    "added_kv_proj_dim": 24,
}
CLIP_TOKENS = 257
UMT5_XXL = {"d_model": 4096, "d_ff": 10240, "num_layers": 24, "num_heads": 64, "d_kv": 64, "vocab_size": 256384}
VIT_H = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
}


@dataclass(frozen=True)
class Size:
    """Wan 2.1 image-to-video: the transformer's configuration, encoders, clip and numbers."""

    transformer: dict[str, Any]
    vae: dict[str, Any]
    text: dict[str, Any]
    image: dict[str, Any]
    data: DataSettings
    backbone: BackboneSettings
    rank: int

    @property
    def shape(self) -> Geometry:
        """As a folder's config files would say."""
        return Geometry(image_dim=self.transformer["image_dim"])

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
        n, heads = self.tokens, self.transformer["num_attention_heads"]
        d = heads * self.transformer["attention_head_dim"]
        context = self.backbone.text_tokens + CLIP_TOKENS
        linear = 8 * n * d**2 + 4 * n * d**2 + 4 * n * context * d + 4 * n * d * self.transformer["ffn_dim"]
        layers = self.transformer["num_layers"]
        return layers * linear, layers * 4.0 * n**2 * d


def _published(name: str) -> DataSettings:
    model = MODELS[name]
    return DataSettings(clip_frames=model.frames, height=model.height, width=model.width, fps=model.fps)


SIZES = {
    "14b-480p": Size(
        WAN_14B,
        {},
        UMT5_XXL,
        VIT_H,
        _published("wan2.1-i2v-14b-480p"),
        BackboneSettings(name="wan2.1-i2v-14b-480p", dtype="bfloat16"),
        128,
    ),
    "test": Size(
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
        DataSettings(clip_frames=9, height=32, width=48),
        BackboneSettings(name="folder", text_tokens=16),
        4,
    ),
}


def random_backbone(size: Size, device: torch.device) -> Any:
    """A WanBackbone whose transformer has random weights; it has no files, so its encoders cannot be used."""
    from diffusers import WanTransformer3DModel

    from svi.backbones.wan import WanBackbone

    def make() -> nn.Module:
        model: nn.Module = WanTransformer3DModel(
            in_channels=36, out_channels=16, cross_attn_norm=True, **size.transformer
        )
        return model

    transformer = _random(make, device, getattr(torch, size.backbone.dtype))
    models = {EXPERT: transformer}
    return WanBackbone(Path("random weights"), size.shape, models, size.backbone, size.data)


@dataclass(frozen=True)
class Encoders:
    """What the authors' code runs in every training step: VAE twice (clip, condition), UMT5 and CLIP once."""

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

        text = _random(lambda: UMT5EncoderModel(UMT5Config(**size.text)), device, getattr(torch, size.backbone.dtype))
        image = _random(lambda: CLIPVisionModel(CLIPVisionConfig(**size.image)), device, torch.float32)
        return cls(_random(lambda: AutoencoderKLWan(**size.vae), device, torch.float32), text, image, size, device)

    @torch.no_grad()
    def encode(self) -> None:
        data = self.size.data
        pixels = torch.rand(1, 3, data.clip_frames, data.height, data.width, device=self.device) * 2 - 1
        for _ in range(2):
            self.vae.encode(pixels).latent_dist.mode()
        tokens = torch.ones(1, self.size.backbone.text_tokens, dtype=torch.int64, device=self.device)
        self.text(tokens)
        self.image(torch.rand(1, 3, 224, 224, device=self.device), output_hidden_states=True)


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
