"""MUSIQ, the multi-scale image quality transformer (Ke et al., ICCV 2021), trained on SPAQ.

Written from the paper and from the names and shapes of the published file's tensors. An image is cut into patches of
32 x 32 pixels at three scales (longer side 224, longer side 384, and as it is); every patch becomes a token by a small
residual network, and a transformer reads the score from a class token.

Shapes: B images; P patches of all scales; D = 384 features; G = 10 x 10 hashed positions.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.vbench.files import MUSIQ_SPAQ
from benchmarks.vbench.images import resize

PATCH = 32
LONGER_SIDES = (224, 384)
WIDTH, LAYERS, HEADS, MLP_WIDTH = 384, 14, 6, 1152
GRID = 10
_ROOT_WIDTH, _BLOCK_WIDTH = 64, 256
_PATCH_CELLS = 8 * 8  # what is left of a patch after two halvings of 32 pixels
_GROUPS = 32


class Musiq(nn.Module):
    """Images [B, 3, H, W] on 0..1 -> quality [B], on SPAQ's scale of 0..100."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_root = _StandardConv(3, _ROOT_WIDTH, 7, stride=2)
        self.gn_root = nn.GroupNorm(_GROUPS, _ROOT_WIDTH, eps=1e-6)
        self.block1 = _Bottleneck()
        self.embedding = nn.Linear(_PATCH_CELLS * _BLOCK_WIDTH, WIDTH)
        self.transformer_encoder = _Encoder()
        self.head = nn.Linear(WIDTH, 1)

    def forward(self, images: Tensor) -> Tensor:
        scales = _scales(2 * (images - 0.5))
        tokens = [self._embed(_patches(scale)) for scale in scales]
        return cast(Tensor, self.head(self.transformer_encoder(tokens, [_positions(scale) for scale in scales]))[:, 0])

    def _embed(self, patches: Tensor) -> Tensor:
        """[B, P, 3, 32, 32] -> [B, P, D]; padded as "same" convolutions are, the odd pixel after the patch."""
        padded = functional.pad(patches.flatten(0, 1), (2, 3, 2, 3))
        roots = functional.relu(self.gn_root(self.conv_root(padded)))
        cells = self.block1(functional.max_pool2d(functional.pad(roots, (0, 1, 0, 1)), 3, stride=2))
        return cast(Tensor, self.embedding(cells.permute(0, 2, 3, 1).reshape(*patches.shape[:2], -1)))


class _StandardConv(nn.Conv2d):
    """A convolution without bias whose filters have mean 0 and standard deviation 1 (Qiao et al. 2019)."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        centred = self.weight - self.weight.mean(dim=(1, 2, 3), keepdim=True)
        weight = centred / (centred.std(dim=(1, 2, 3), keepdim=True) + 1e-5)
        return functional.conv2d(images, weight, stride=self.stride)


class _Bottleneck(nn.Module):
    """A residual unit of 1 x 1, 3 x 3 and 1 x 1 convolutions beside another one, each with a group norm."""

    def __init__(self) -> None:
        super().__init__()
        for part, outputs, kernel in (
            ("1", _ROOT_WIDTH, 1), ("2", _ROOT_WIDTH, 3), ("3", _BLOCK_WIDTH, 1), ("_proj", _BLOCK_WIDTH, 1),
        ):  # fmt: skip
            self.add_module(f"conv{part}", _StandardConv(_ROOT_WIDTH, outputs, kernel))
            self.add_module(f"gn{part}", nn.GroupNorm(_GROUPS, outputs, eps=1e-4))

    def forward(self, cells: Tensor) -> Tensor:
        narrow = functional.relu(self._normed("1", cells))
        mixed = functional.relu(self._normed("2", functional.pad(narrow, (1, 1, 1, 1))))
        return functional.relu(self._normed("3", mixed) + self._normed("_proj", cells))

    def _normed(self, part: str, cells: Tensor) -> Tensor:
        return cast(Tensor, self.get_submodule(f"gn{part}")(self.get_submodule(f"conv{part}")(cells)))


class _Encoder(nn.Module):
    """Of each scale tokens [B, P, D] and their hashed positions [P] -> the class token after the final norm [B, D].

    The resized scales fill a fixed number of slots, the most patches that they can have; empty slots are masked. They
    could be left out but for rounding: kept, every sum has the length that it has in pyiqa, and equals it to the bit.
    """

    def __init__(self) -> None:
        super().__init__()
        self.cls = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.posembed_input = nn.ParameterDict({"position_emb": torch.zeros(1, GRID * GRID, WIDTH)})
        self.scaleembed_input = nn.ParameterDict({"scale_emb": torch.zeros(len(LONGER_SIDES) + 1, WIDTH)})
        self.transformer = nn.ModuleDict({f"encoderblock_{layer}": _Block() for layer in range(LAYERS)})
        self.encoder_norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, scales: list[Tensor], positions: list[Tensor]) -> Tensor:
        slots = [*((-(-side // PATCH)) ** 2 for side in LONGER_SIDES), len(positions[-1])]
        rows = [self.cls.expand(len(scales[0]), -1, -1)]
        filled = [torch.ones(1, dtype=torch.bool, device=self.cls.device)]
        for scale, (tokens, cells, count) in enumerate(zip(scales, positions, slots, strict=True)):
            tokens = tokens + self.posembed_input["position_emb"][0, cells]
            tokens = tokens + self.scaleembed_input["scale_emb"][scale]
            rows.append(functional.pad(tokens, (0, 0, 0, count - len(cells))))
            filled.append(torch.arange(count, device=cells.device) < len(cells))
        hidden, mask = torch.cat(rows, dim=1), torch.cat(filled)
        for block in self.transformer.values():
            hidden = block(hidden, mask)
        return cast(Tensor, self.encoder_norm(hidden)[:, 0])


class _Block(nn.Module):
    """Tokens [B, N, D] -> [B, N, D], attending to those of `mask` [N]."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.attention = nn.ModuleDict({name: nn.Linear(WIDTH, WIDTH) for name in ("query", "key", "value", "out")})
        self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(WIDTH, MLP_WIDTH), "fc2": nn.Linear(MLP_WIDTH, WIDTH)})

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = tokens + self._attention(self.norm1(tokens), mask)
        return tokens + cast(Tensor, self.mlp["fc2"](functional.gelu(self.mlp["fc1"](self.norm2(tokens)))))

    def _attention(self, tokens: Tensor, mask: Tensor) -> Tensor:
        heads = (*tokens.shape[:2], HEADS, WIDTH // HEADS)
        query, key, value = (
            self.attention[name](tokens).view(heads).transpose(1, 2) for name in ("query", "key", "value")
        )
        # Written out: torch's fused attention rounds otherwise.
        scores = (query @ key.mT / (WIDTH // HEADS) ** 0.5).masked_fill(~mask, float("-inf"))
        mixed = scores.softmax(dim=-1) @ value
        return cast(Tensor, self.attention["out"](mixed.transpose(1, 2).flatten(2)))


def _scales(images: Tensor) -> list[Tensor]:
    """The images with their longer side resized to each of the model's, and as they are."""
    height, width = images.shape[-2:]
    ratios = [side / max(height, width) for side in LONGER_SIDES]
    return [*(resize(images, (round(height * ratio), round(width * ratio)), "bicubic") for ratio in ratios), images]


def _grid(images: Tensor) -> tuple[int, int]:
    """Rows and columns of patches that cover the images."""
    height, width = images.shape[-2:]
    return -(-height // PATCH), -(-width // PATCH)


def _patches(images: Tensor) -> Tensor:
    """[B, 3, H, W] -> [B, P, 3, 32, 32]: row by row, the images padded with zeros, the odd pixel after them."""
    rows, columns = _grid(images)
    down, across = rows * PATCH - images.shape[-2], columns * PATCH - images.shape[-1]
    padded = functional.pad(images, (across // 2, across - across // 2, down // 2, down - down // 2))
    parts = padded.view(len(images), 3, rows, PATCH, columns, PATCH).permute(0, 2, 4, 1, 3, 5)
    return parts.reshape(len(images), rows * columns, 3, PATCH, PATCH)


def _positions(images: Tensor) -> Tensor:
    """[P]: of each patch the cell of the G x G grid that its row and column fall into."""
    rows, columns = (torch.arange(count, device=images.device) * GRID // count for count in _grid(images))
    return (rows[:, None] * GRID + columns).flatten()


def load_musiq(device: str | torch.device = "cpu") -> Musiq:
    """The published model, ready for inference.

    Raises:
        ValueError: the weight file is missing or another one.
    """
    tensors = MUSIQ_SPAQ.read()
    model = Musiq()
    MUSIQ_SPAQ.load_into(model, tensors)
    return model.to(device).eval().requires_grad_(False)
