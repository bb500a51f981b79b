"""A small real Wan, and diffusers' own attention under a dense mask: what ours is checked against."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from diffusers import WanTransformer3DModel
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import Tensor, nn

from svi.backbones.wrapped import bare
from svi.method.flow import TIMESTEPS

CHANNELS, SIDE, TOKENS, TEXT = 4, 4, 4, 8  # tokens of a latent frame: (SIDE / 2)^2
POSITIONS = 32


def small_wan(layers: int = 3) -> WanTransformer3DModel:
    """Random weights, the same every time, none of them at its neutral start."""
    torch.manual_seed(0)
    model = WanTransformer3DModel(
        patch_size=(1, 2, 2),
        num_attention_heads=2,
        attention_head_dim=12,
        in_channels=CHANNELS,
        out_channels=CHANNELS,
        text_dim=TEXT,
        freq_dim=16,
        ffn_dim=32,
        num_layers=layers,
        rope_max_seq_len=POSITIONS,
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return model.eval()


def latents(frames: int, seed: int = 1, batch: int = 2) -> Tensor:
    """[batch, CHANNELS, frames, SIDE, SIDE]"""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, CHANNELS, frames, SIDE, SIDE, generator=generator)


def call(model: nn.Module, x: Tensor, t: Sequence[float]) -> Tensor:
    """The transformer's output, of each frame at its own t (0 noise, 1 data)."""
    wan = bare(model)
    times = TIMESTEPS * (1 - torch.tensor(t, dtype=torch.float64)).float().repeat_interleave(TOKENS)
    text = torch.randn(len(x), 3, TEXT, generator=torch.Generator().manual_seed(7))
    given: Any = (x.to(wan.dtype), times.expand(len(x), -1), text.to(wan.dtype))
    out: Tensor = model(*given, return_dict=False)[0]
    return out


def between(frames: Tensor) -> Tensor:
    """A mask of tokens from one of frames, bool [queries, keys]."""
    return frames.repeat_interleave(TOKENS, 0).repeat_interleave(TOKENS, 1)


class Masked(WanAttnProcessor):  # type: ignore[misc]
    """diffusers' own processor, given a mask."""

    def __init__(self, mask: Tensor) -> None:
        super().__init__()
        self.mask = mask

    def __call__(self, attn: Any, x: Tensor, text: Any = None, mask: Any = None, rotary: Any = None) -> Tensor:
        out: Tensor = super().__call__(attn, x, text, self.mask, rotary)
        return out


@contextmanager
def dense(model: nn.Module, frames: Tensor, copies: int = 1) -> Iterator[None]:
    """Frame i sees frame j where `frames` [T, T] is True; the sequence is `copies` times the same frames' positions."""
    wan = bare(model)
    usual = [block.attn1.processor for block in wan.blocks]

    def repeated(rope: Any, inputs: tuple[Tensor], _: object) -> tuple[Tensor, ...]:
        x = inputs[0]
        once = rope.forward(x[:, :, : x.shape[2] // copies])
        return tuple(part.repeat(1, copies, 1, 1) for part in once)

    hook = wan.rope.register_forward_hook(repeated)
    for block in wan.blocks:
        block.attn1.set_processor(Masked(between(frames)))
    try:
        yield
    finally:
        hook.remove()
        for block, processor in zip(wan.blocks, usual, strict=True):
            block.attn1.set_processor(processor)


def of_blocks(sizes: Sequence[int]) -> Tensor:
    """The block of each frame. [T]"""
    return torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
