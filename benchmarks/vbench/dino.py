"""DINO's vision transformer ViT-B/16 (Caron et al. 2021), with the tensor names of its published file.

Shapes: B images of H x W pixels; N = 1 + (H // 16) (W // 16) tokens, the first of them CLS; D = 768.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.vbench.files import DINO_WEIGHTS

WIDTH, LAYERS, HEADS, PATCH, GRID = 768, 12, 12, 16, 14
_NORM_EPS = 1e-6
# Added to the patches' number before the positions are scaled: keeps floor(14 scale) at that number.
_ROUNDING_MARGIN = 0.1


class Dino(nn.Module):
    """Normalised images [B, 3, H, W], H and W of at least 16 -> features [B, 768]: CLS after the final norm."""

    def __init__(self) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + GRID * GRID, WIDTH))
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, WIDTH, PATCH, stride=PATCH)})
        self.blocks = nn.ModuleList(_Block() for _ in range(LAYERS))
        self.norm = nn.LayerNorm(WIDTH, eps=_NORM_EPS)

    def forward(self, images: Tensor) -> Tensor:
        patches = self.patch_embed["proj"](images).flatten(2).transpose(1, 2)
        tokens = torch.cat([self.cls_token.expand(len(images), -1, -1), patches], dim=1)
        tokens = tokens + self._positions(*images.shape[-2:])
        for block in self.blocks:
            tokens = block(tokens)
        return cast(Tensor, self.norm(tokens)[:, 0])

    def _positions(self, height: int, width: int) -> Tensor:
        """[1, N, D]: the learned 14 x 14 positions, stretched bicubically to the patches of another size.

        They are stretched by a scale factor and not to a target size: the sampling points differ.
        """
        if height == width == GRID * PATCH:
            return self.pos_embed
        cls, grid = self.pos_embed[:, :1], self.pos_embed[:, 1:].mT.reshape(1, WIDTH, GRID, GRID)
        scale = tuple((length // PATCH + _ROUNDING_MARGIN) / GRID for length in (height, width))
        stretched = functional.interpolate(grid, scale_factor=scale, mode="bicubic")
        return torch.cat([cls, stretched.flatten(2).transpose(1, 2)], dim=1)


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=_NORM_EPS)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(WIDTH, 3 * WIDTH), "proj": nn.Linear(WIDTH, WIDTH)})
        self.norm2 = nn.LayerNorm(WIDTH, eps=_NORM_EPS)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(WIDTH, 4 * WIDTH), "fc2": nn.Linear(4 * WIDTH, WIDTH)})

    def forward(self, tokens: Tensor) -> Tensor:
        tokens = tokens + self._attention(self.norm1(tokens))
        return tokens + cast(Tensor, self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm2(tokens)))))

    def _attention(self, tokens: Tensor) -> Tensor:
        heads = (*tokens.shape[:2], 3, HEADS, WIDTH // HEADS)
        query, key, value = self.attn["qkv"](tokens).view(heads).permute(2, 0, 3, 1, 4)
        # Written out, as in DINO's own code: torch's fused attention rounds otherwise.
        mixed = (query @ key.mT / (WIDTH // HEADS) ** 0.5).softmax(dim=-1) @ value
        return cast(Tensor, self.attn["proj"](mixed.transpose(1, 2).flatten(2)))


def load_dino(device: str | torch.device = "cpu") -> Dino:
    """The published model, ready for inference.

    Raises:
        ValueError: the weight file is missing or another one.
    """
    tensors = DINO_WEIGHTS.read()
    model = Dino()
    DINO_WEIGHTS.load_into(model, tensors)
    return model.to(device).eval().requires_grad_(False)
