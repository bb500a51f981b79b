"""A start for a small transformer: before any training, its films stand still."""

import torch
from diffusers import WanTransformer3DModel
from torch import nn


@torch.no_grad()
def stand_still(transformer: WanTransformer3DModel, channels: int) -> None:
    """Set the first and last layer so that the known latents come out as every frame, and all blocks so that they add nothing.

    For inputs [x_t C, mask M, known C], of unit variance, and outputs noise - data, which is x_t - known where sigma is near 1.
    From random weights a small model takes thousands of steps to learn to copy, before it learns any motion (docs/toy-world.md).
    A token must be wider than what it is made from (catalogue.tiny_latent_shape).
    """
    into, out = transformer.patch_embedding, transformer.proj_out
    width, given = into.weight.shape[0], into.weight[0].numel()
    basis = torch.randn(width, given)
    basis = torch.linalg.qr(
        basis - basis.mean(0)
    ).Q  # without the mean, which the norm before the last layer takes away
    into.weight.copy_(basis.view_as(into.weight))
    cells = into.weight[0, 0].numel()
    noisy, known = basis.T.view(-1, cells, width)[:channels], basis.T.view(-1, cells, width)[-channels:]
    size = (2 * channels * cells / width) ** 0.5  # of a token, which that norm divides by
    out.weight.copy_(size * (noisy - known).transpose(0, 1).reshape(cells * channels, width))
    for layer in (into, out):
        nn.init.zeros_(layer.bias)
    for block in transformer.blocks:
        for last in (block.attn1.to_out[0], block.attn2.to_out[0], block.ffn.net[2]):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    nn.init.zeros_(transformer.scale_shift_table)
