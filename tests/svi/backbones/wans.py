"""What tests ask of Wans in files: small clips, pictures and noise."""

import torch
from torch import Tensor

from svi.backbones.wan import WanBackbone
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi.wan_folder import Kind

SETTINGS = BackboneSettings(name="folder", text_tokens=16)
ONE_FRAME = ConditionSettings(motion_frames=1, padding="zeros")


def sizes(kind: Kind) -> DataSettings:
    """Nine frames, small."""
    return DataSettings(height=32, width=64 if kind == "wan2.2-ti2v" else 48, clip_frames=9)


def picture(kind: Kind, seed: int = 0, frames: int = 1) -> Tensor:
    """[1, frames, H, W, 3] uint8"""
    size = sizes(kind)
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, frames, size.height, size.width, 3), dtype=torch.uint8, generator=generator)


def noise_for(backbone: WanBackbone) -> Tensor:
    return torch.randn(1, *backbone.latent_shape, generator=torch.Generator().manual_seed(1))
