"""How the published models are built, as their config files say, so that sizes are known before a download. Loads nothing.

The numbers are those of the models' own configurations (Wan-Video's wan_i2v_A14B, wan_ti2v_5B, and the Wan 2.1 image-to-video ones)
in diffusers' words; `tests/svi/backbones/test_architectures.py` holds them against the published numbers of parameters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CLIP_TOKENS = 257  # of the image feature: 16 x 16 patches of 14 pixels, and one for the whole
UMT5_XXL: Mapping[str, Any] = {
    "d_model": 4096,
    "d_ff": 10240,
    "num_layers": 24,
    "num_heads": 64,
    "d_kv": 64,
    "vocab_size": 256384,
}
VIT_H: Mapping[str, Any] = {
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "num_hidden_layers": 32,
    "num_attention_heads": 16,
    "patch_size": 14,
}


@dataclass(frozen=True)
class Architecture:
    """Keywords of diffusers' WanTransformer3DModel (each expert) and AutoencoderKLWan, of UMT5Config and of CLIPVisionConfig;
    None: the model has no image encoder."""

    transformer: Mapping[str, Any]
    vae: Mapping[str, Any] = field(default_factory=dict)
    text: Mapping[str, Any] = field(default_factory=lambda: UMT5_XXL)
    image: Mapping[str, Any] | None = None


_A14B: Mapping[str, Any] = {
    "num_attention_heads": 40,
    "attention_head_dim": 128,
    "in_channels": 36,
    "out_channels": 16,
    "text_dim": 4096,
    "ffn_dim": 13824,
    "num_layers": 40,
    "cross_attn_norm": True,
}
_I2V_14B = Architecture({**_A14B, "image_dim": 1280, "added_kv_proj_dim": 5120}, image=VIT_H)
_TI2V_5B = Architecture(
    {**_A14B, "num_attention_heads": 24, "in_channels": 48, "out_channels": 48, "ffn_dim": 14336, "num_layers": 30},
    {
        "base_dim": 160,
        "decoder_base_dim": 256,
        "z_dim": 48,
        "latents_mean": [0.0] * 48,
        "latents_std": [1.0] * 48,
        "is_residual": True,
        "in_channels": 12,
        "out_channels": 12,
        "patch_size": 2,
        "scale_factor_spatial": 16,
    },
)

ARCHITECTURES: Mapping[str, Architecture] = {
    "wan2.1-i2v-14b-480p": _I2V_14B,
    "wan2.1-i2v-14b-720p": _I2V_14B,
    "wan2.2-i2v-a14b": Architecture(_A14B),
    "wan2.2-ti2v-5b": _TI2V_5B,
}
"""By the names of svi.backbones.catalogue.MODELS."""
