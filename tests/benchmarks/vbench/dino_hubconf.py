"""Stands for `hubconf.py` of DINO's repository in the tests of official VBench: timm's transformer with DINO's positions.

Copied into the cache folder and run in VBench's environment.
"""

import functools
import math
from pathlib import Path

import timm
import torch
from timm.models.vision_transformer import VisionTransformer

dependencies = ["torch", "timm"]


def dino_vitb16(pretrained: bool = True, **kwargs: object) -> torch.nn.Module:
    """ViT-B/16 with the weights in torch's home; takes what VBench passes and needs none of it."""
    timm.layers.set_fused_attn(False)
    model = _DinoByTimm(
        patch_size=16, num_classes=0, norm_layer=functools.partial(torch.nn.LayerNorm, eps=1e-6), global_pool="token"
    )
    file = Path(torch.hub.get_dir(), "checkpoints", "dino_vitbase16_pretrain.pth")
    model.load_state_dict(torch.load(file, weights_only=True))
    return model.eval()


class _DinoByTimm(VisionTransformer):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        rows, columns = x.shape[2] // 16, x.shape[3] // 16
        patches = self.patch_embed.proj(x).flatten(2).transpose(1, 2)
        tokens = torch.cat((self.cls_token.repeat(len(x), 1, 1), patches), 1)
        positions = self.pos_embed
        if x.shape[2:] != (224, 224):
            side = math.isqrt(positions.shape[1] - 1)
            grid = positions[0, 1:].reshape(side, side, -1).permute(2, 0, 1)[None]
            factors = ((rows + 0.1) / side, (columns + 0.1) / side)
            grid = torch.nn.functional.interpolate(grid, scale_factor=factors, mode="bicubic")
            assert grid.shape[2:] == (rows, columns)
            positions = torch.cat((positions[:, :1], grid.permute(0, 2, 3, 1).flatten(1, 2)), 1)
        return self.norm(self.blocks(tokens + positions))[:, 0]
