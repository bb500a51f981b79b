"""Speech in Wan's blocks, as MultiTalk has it: each latent frame attends to what is said around its own pixel frames.

Source: MultiTalk (arXiv 2505.22647), which SVI-Talk builds on. A video's first latent frame holds one pixel frame, every other as
many as the codec has `frames_a_latent`; each is shown the speech of its frames and of two more on either side. A projection makes
32 tokens of that, and behind the text's cross-attention every block attends to those of its latent frame.
"""

from typing import Any

import torch
import torch.nn.functional as F
from diffusers.models.normalization import FP32LayerNorm
from torch import Tensor, nn

from svi.backbones.adapters import Adapter, Layer

KEY = "audio"
LAYER = "audio_cross_attn"  # its name in a block
PROJECTION = {f"audio_proj.{name}": f"{KEY}.{name}" for name in ("proj1", "proj1_vf", "proj2", "proj3", "norm")}
IN_BLOCK = {
    **{f"{LAYER}.{name}": f"{LAYER}.{name}" for name in ("q_linear", "kv_linear", "proj")},
    "norm_x": f"{LAYER}.norm_x",
}
AROUND = 2  # pixel frames on either side


def clip(film: Tensor, start: int, length: int) -> Tensor:
    """What a clip of `length` frames that begins at frame `start` is shown of a film [F, layers, channels].

    [length + 4, layers, channels]: film frames start - 2 to start + length + 1; the film's first and last stand in for frames
    beyond it.
    """
    frames = torch.arange(start - AROUND, start + length + AROUND)
    return film[frames.clamp(0, len(film) - 1)]


def windows(given: Tensor, frames_a_latent: int) -> tuple[Tensor, Tensor]:
    """Frames of speech around each latent frame's own, of clips [B, L + 4, layers, channels].

    The first latent frame's [B, 1, 5, layers, channels], the others' [B, T - 1, frames_a_latent + 4, layers, channels]. Raises
    ValueError for a length that no whole number of latent frames has.
    """
    length = given.shape[1] - 2 * AROUND
    if length <= 1 or (length - 1) % frames_a_latent:
        raise ValueError(
            f"audio: received speech for a clip of {length} frames, expected 1 + a multiple of {frames_a_latent}, as many as "
            "latent frames hold"
        )
    first = given[:, : 1 + 2 * AROUND]
    others = given[:, 1:].unfold(1, frames_a_latent + 2 * AROUND, frames_a_latent)
    return first[:, None], others.movedim(-1, 2)


def key_map(blocks: int) -> dict[str, str]:
    """MultiTalk's name of each tensor -> its name in a transformer of so many blocks that the adapter is attached to."""
    modules = PROJECTION | {
        f"blocks.{i}.{theirs}": f"blocks.{i}.{ours}" for i in range(blocks) for theirs, ours in IN_BLOCK.items()
    }
    return {f"{theirs}.{kind}": f"{ours}.{kind}" for theirs, ours in modules.items() for kind in ("weight", "bias")}


class AudioAdapter(Adapter):
    """Speech for whole clips; its sizes are MultiTalk's unless told otherwise. Untrained, it changes no bit."""

    key = KEY

    def __init__(
        self,
        layers: int = 12,
        channels: int = 768,
        frames_a_latent: int = 4,
        hidden: int = 512,
        tokens: int = 32,
        width: int = 768,
    ) -> None:
        """For hidden states of so many layers and channels; `tokens` of `width` channels are made of a window."""
        super().__init__()
        self.states, self.frames_a_latent, self.width = (layers, channels), frames_a_latent, width
        a_frame = layers * channels
        self.proj1 = nn.Linear((1 + 2 * AROUND) * a_frame, hidden)
        self.proj1_vf = nn.Linear((frames_a_latent + 2 * AROUND) * a_frame, hidden)
        self.proj2 = nn.Linear(hidden, hidden)
        self.proj3 = nn.Linear(hidden, tokens * width)
        self.norm = nn.LayerNorm(width)
        self._latents = 0

    def attach(self, wan: Any) -> None:
        """A cross-attention in every block beside it, where and in the precision that the transformer is in."""
        super().attach(wan)
        heads, channels = wan.config.num_attention_heads, wan.config.attention_head_dim
        for block in wan.blocks:
            AudioAttention(heads * channels, heads, self.width).attach(block, LAYER, KEY)
            block.get_submodule(LAYER).to(wan.device, wan.dtype)
        self.to(wan.device, wan.dtype)
        wan.register_forward_pre_hook(self._look, with_kwargs=True)

    def names(self, wan: Any) -> dict[str, str]:
        """MultiTalk's."""
        return key_map(len(wan.blocks))

    def shown(self, given: Tensor) -> Tensor:
        """Tokens of each latent frame, [B, T, tokens, width], of clips [B, L + 4, layers, channels].

        Raises ValueError for speech of another model, or for another number of latent frames than this forward has: loops that
        denoise a part of a clip, or two copies of it, are refused.
        """
        if given.shape[2:] != self.states:
            raise ValueError(
                f"audio: received hidden states of {given.shape[2]} layers and {given.shape[3]} channels, expected "
                f"{self.states[0]} and {self.states[1]}; take the wav2vec2 that the adapter was made for"
            )
        first, others = windows(given, self.frames_a_latent)
        latents = 1 + others.shape[1]
        if latents != self._latents:
            raise ValueError(
                f"audio: received speech for a clip of {given.shape[1] - 2 * AROUND} frames, which are {latents} latent frames, "
                f"for a forward of {self._latents}; speech drives whole clips alone"
            )
        x = torch.cat([self.proj1(first.flatten(2)), self.proj1_vf(others.flatten(2))], dim=1).relu()
        tokens = self.proj3(self.proj2(x).relu()).reshape(*x.shape[:2], -1, self.width)
        normed: Tensor = self.norm(tokens)
        return normed

    def _look(self, _: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._latents = (args[0] if args else kwargs["hidden_states"]).shape[2]


class AudioAttention(Layer):
    """From the tokens of a latent frame to its speech; what it puts out is zero until it has been trained."""

    def __init__(self, channels: int, heads: int, width: int) -> None:
        """In a transformer of so many channels and heads, for speech of `width` channels."""
        super().__init__()
        self.heads = heads
        self.norm_x = FP32LayerNorm(channels, 1e-6, elementwise_affine=True)
        self.q_linear = nn.Linear(channels, channels)
        self.kv_linear = nn.Linear(width, 2 * channels)
        self.proj = nn.Linear(channels, channels)
        nn.init.zeros_(self.proj.weight)
        nn.init.zeros_(self.proj.bias)

    def forward(self, x: Tensor, shown: Tensor) -> Tensor:
        """x [B, T h w, channels], speech [B, T, tokens, width] -> [B, T h w, channels]."""
        frames = shown.shape[0] * shown.shape[1]
        query = self._heads(self.q_linear(self.norm_x(x)), frames)
        key, value = (self._heads(part, frames) for part in self.kv_linear(shown).chunk(2, dim=-1))
        heard = F.scaled_dot_product_attention(query, key, value).transpose(1, 2)
        added: Tensor = self.proj(heard.reshape(x.shape))
        return added

    def _heads(self, x: Tensor, frames: int) -> Tensor:
        """By latent frame of every clip: [frames, heads, tokens, channels / heads]."""
        return x.reshape(frames, -1, self.heads, x.shape[-1] // self.heads).transpose(1, 2)
