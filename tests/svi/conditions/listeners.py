"""Small transformers with an adapter for speech, clips of speech, and one forward of a block written out."""

from typing import Any

import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel
from torch import Tensor, nn

from svi.backbones.adapters import showing
from svi.conditions.audio import LAYER, AudioAdapter

LAYERS, STATES = 3, 6  # of wav2vec2
TOKENS, WIDTH, HIDDEN = 5, 7, 10
HEADS, CHANNELS, BLOCKS = 2, 24, 2


def wan(seed: int = 0) -> Any:
    """diffusers' own class: two blocks, the latents of 4 x 6 are 2 x 3 tokens."""
    torch.manual_seed(seed)
    return WanTransformer3DModel(
        num_attention_heads=HEADS,
        attention_head_dim=CHANNELS // HEADS,
        in_channels=8,
        out_channels=8,
        text_dim=16,
        freq_dim=16,
        ffn_dim=32,
        num_layers=BLOCKS,
        cross_attn_norm=True,
        rope_max_seq_len=32,
    ).eval()


def attached(transformer: Any, frames_a_latent: int = 4) -> AudioAdapter:
    torch.manual_seed(1)
    adapter = AudioAdapter(LAYERS, STATES, frames_a_latent, HIDDEN, TOKENS, WIDTH)
    adapter.attach(transformer)
    return adapter


def trained(transformer: Any) -> None:
    """Noise on every weight of the adapter: none is left at zero."""
    torch.manual_seed(2)
    modules: list[nn.Module] = [transformer.audio, *(block.get_submodule(LAYER) for block in transformer.blocks)]
    with torch.no_grad():
        for parameter in (p for module in modules for p in module.parameters()):
            parameter += 0.5 * torch.randn_like(parameter)


def speech(frames: int = 9, clips: int = 2) -> Tensor:
    """Of clips of so many frames, with two more on either side. [B, L + 4, layers, channels]"""
    return torch.randn(clips, frames + 4, LAYERS, STATES, generator=torch.Generator().manual_seed(3))


def run(transformer: Any, given: Tensor | None, latents: int = 3) -> Tensor:
    """One forward, of two clips unless the speech is of another number."""
    clips = 2 if given is None else len(given)
    generator = torch.Generator().manual_seed(4)
    dtype = next(transformer.parameters()).dtype
    x = torch.randn(clips, 8, latents, 4, 6, generator=generator).to(dtype)
    text = torch.randn(clips, 5, 16, generator=generator).to(dtype)
    with showing(transformer, {} if given is None else {"audio": given}):
        out: Tensor = transformer(x, torch.full((clips,), 500.0), text, return_dict=False)[0]
    return out


def windows_by_hand(given: Tensor, frames_a_latent: int) -> list[Tensor]:
    """From the facts: the frames that a latent frame holds, and two more on either side. [B, frames, layers, channels] each"""
    frames = given.shape[1] - 4
    held = [range(1), *(range(i, i + frames_a_latent) for i in range(1, frames, frames_a_latent))]
    return [torch.stack([given[:, 2 + i] for i in range(own[0] - 2, own[-1] + 3)], dim=1) for own in held]


def tokens_by_hand(w: dict[str, Tensor], given: Tensor, frames_a_latent: int) -> Tensor:
    """MultiTalk's projection of weights by its own names. [B, T, tokens, width]"""
    made = []
    for i, window in enumerate(windows_by_hand(given, frames_a_latent)):
        name = "proj1_vf" if i else "proj1"
        x = window.reshape(len(window), -1) @ w[f"audio_proj.{name}.weight"].T + w[f"audio_proj.{name}.bias"]
        x = x.clamp(min=0) @ w["audio_proj.proj2.weight"].T + w["audio_proj.proj2.bias"]
        x = x.clamp(min=0) @ w["audio_proj.proj3.weight"].T + w["audio_proj.proj3.bias"]
        x = x.reshape(len(x), -1, w["audio_proj.norm.weight"].shape[0])
        x = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-5).sqrt()
        made.append(x * w["audio_proj.norm.weight"] + w["audio_proj.norm.bias"])
    return torch.stack(made, dim=1)


def heard_by_hand(w: dict[str, Tensor], block: int, x: Tensor, tokens: Tensor) -> Tensor:
    """MultiTalk's attention of a block, head by head and latent frame by latent frame. x [B, T h w, channels]"""
    prefix, size = f"blocks.{block}.", CHANNELS // HEADS
    normed = (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, correction=0) + 1e-6).sqrt()
    normed = normed * w[f"{prefix}norm_x.weight"] + w[f"{prefix}norm_x.bias"]
    query = F.linear(
        normed, w[f"{prefix}audio_cross_attn.q_linear.weight"], w[f"{prefix}audio_cross_attn.q_linear.bias"]
    )
    both = F.linear(
        tokens, w[f"{prefix}audio_cross_attn.kv_linear.weight"], w[f"{prefix}audio_cross_attn.kv_linear.bias"]
    )
    key, value = both[..., :CHANNELS], both[..., CHANNELS:]
    out = torch.zeros_like(x)
    frames = tokens.shape[1]
    a_frame = x.shape[1] // frames
    for frame in range(frames):
        here = slice(frame * a_frame, (frame + 1) * a_frame)
        for head in range(HEADS):
            part = slice(head * size, (head + 1) * size)
            weights = (query[:, here, part] @ key[:, frame, :, part].transpose(1, 2) / size**0.5).softmax(-1)
            out[:, here, part] = weights @ value[:, frame, :, part]
    return F.linear(out, w[f"{prefix}audio_cross_attn.proj.weight"], w[f"{prefix}audio_cross_attn.proj.bias"])


def written_out(transformer: Any, w: dict[str, Tensor], given: Tensor, frames_a_latent: int) -> Any:
    """A transformer without adapter whose blocks hear: their forward is here, line by line, and no hook is used."""
    tokens = tokens_by_hand(w, given, frames_a_latent)

    def hearing(block: Any, number: int) -> Any:
        def forward(x: Tensor, text: Tensor, time: Tensor, rotary: Any) -> Tensor:
            shift, scale, gate, shift_2, scale_2, gate_2 = (block.scale_shift_table + time.float()).chunk(6, dim=1)
            x = x + block.attn1(block.norm1(x) * (1 + scale) + shift, None, None, rotary) * gate
            x = x + block.attn2(block.norm2(x), text, None, None)
            x = x + heard_by_hand(w, number, x, tokens)
            out: Tensor = x + block.ffn(block.norm3(x) * (1 + scale_2) + shift_2) * gate_2
            return out

        return forward

    for number, block in enumerate(transformer.blocks):
        block.forward = hearing(block, number)
    return transformer
