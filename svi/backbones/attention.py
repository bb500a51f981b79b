"""Block-causal attention in diffusers' WanTransformer3DModel, with the keys and values of earlier frames at hand.

Frames of a Wan meet in the self-attention of its blocks (attn1) alone. What each frame sees there is a `Sight`, which stands where
the rotary embedding would: the model hands that to every block. So a block that gradient checkpointing runs again, when the context
has long ended, sees what it saw the first time. The processors stay, and do as diffusers' own where they get an embedding.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Protocol

import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers.transformer_wan import WanAttnProcessor
from torch import Tensor, nn

from svi.backbones.wrapped import bare, caches

Span = tuple[int, int]  # latent frames, from the first to before the second
Run = tuple[
    Span, tuple[Span, ...]
]  # frames of this forward, and those that they see, counted from the oldest of the past
Written = dict[int, tuple[Tensor, Tensor]]
"""Keys and values of a forward's frames by layer, before the rotary embedding. [B, frames * tokens, heads, channels]"""


class Past(Protocol):
    """Frames of earlier forwards, oldest first; they stay the same, since gradient checkpointing may read them again."""

    def __len__(self) -> int:
        """How many."""

    def read(self, layer: int) -> tuple[list[Tensor], list[Tensor]]:
        """Their keys and values, before the rotary embedding, [B, tokens, heads, channels] each."""


@dataclass(frozen=True)
class Layout:
    """Where frames stand and what they see."""

    positions: tuple[int, ...]
    """In the rotary embedding: of the past, then of the frames of this forward."""
    runs: tuple[Run, ...]

    @property
    def frames(self) -> int:
        """Of this forward."""
        return self.runs[-1][0][1]


def blocks(frames: int, block: int) -> tuple[int, ...]:
    """The first latent frame alone, for a film starts from an image; then latent frames in blocks of `block`, what is left over
    before the others."""
    whole, rest = divmod(frames - 1, block)
    return (1, *([rest] if rest else []), *[block] * whole)


def causal_layout(sizes: Sequence[int], past: int = 0) -> Layout:
    """Frame i sees frame j where block(j) <= block(i), and all of the past. `sizes`: frames of each block.

    Positions are relative to the window: the oldest frame that is still there stands at 0 (Infinity-RoPE, arXiv 2511.20649), so a
    film of any length stays within the positions that the model was trained at. Raises ValueError for a block without frames.
    """
    if not sizes or min(sizes) < 1:
        raise ValueError(f"frames of the blocks: received {tuple(sizes)}, expected at least one block of at least one")
    ends = tuple(accumulate(sizes))
    runs = tuple(((end - size, end), ((0, past + end),)) for size, end in zip(sizes, ends, strict=True))
    return Layout(tuple(range(past + ends[-1])), runs)


def teacher_forcing_layout(sizes: Sequence[int]) -> Layout:
    """Of [clean | noisy], the same frames twice, at the same positions: all blocks of a film are learned in one forward.

    A clean block sees clean blocks up to itself; a noisy one sees the clean blocks before it, and itself.
    """
    clean = causal_layout(sizes)
    frames = clean.frames
    noisy = tuple(
        (_after((begin, end), frames), ((0, begin), _after((begin, end), frames))) for (begin, end), _ in clean.runs
    )
    return Layout(clean.positions * 2, clean.runs + noisy)


def _after(span: Span, frames: int) -> Span:
    return span[0] + frames, span[1] + frames


def stay_causal(transformer: nn.Module, block: int) -> None:
    """From now on every forward of the transformer, wrapped or not, is block-causal, in `blocks` of its frames.

    Inside `causal` and `teacher_forcing` frames see as these say.
    """
    wan = bare(transformer)
    _install(wan)
    wan.rope = Rope(_usual(wan), lambda frames: causal_layout(blocks(frames, block)))


@contextmanager
def causal(
    transformer: nn.Module, sizes: Sequence[int], past: Past | None = None, written: Written | None = None
) -> Iterator[None]:
    """Inside, every forward of the transformer, wrapped or not, is of sum(sizes) latent frames that see as in `causal_layout`.

    With `written`, the frames' own keys and values are put there; a second forward replaces those of the first. Raises ValueError
    for a model that caches between steps (speed.cache), whose skipped blocks would neither read nor write the past.
    """
    with _seeing(transformer, causal_layout(sizes, 0 if past is None else len(past)), past, written):
        yield


@contextmanager
def teacher_forcing(transformer: nn.Module, sizes: Sequence[int]) -> Iterator[None]:
    """Inside, every forward is of 2 sum(sizes) latent frames, the clean ones first, that see as in `teacher_forcing_layout`."""
    with _seeing(transformer, teacher_forcing_layout(sizes)):
        yield


@contextmanager
def _seeing(
    transformer: nn.Module, layout: Layout, past: Past | None = None, written: Written | None = None
) -> Iterator[None]:
    wan = bare(transformer)
    if caches(wan):
        raise ValueError("causal attention needs every block at every step, which caching skips; set speed.cache=none")
    _install(wan)
    outer = wan.rope
    wan.rope = Rope(_usual(wan), lambda _: layout, past, written)
    try:
        yield
    finally:
        wan.rope = outer


def _install(wan: Any) -> None:
    for layer, block in enumerate(wan.blocks):
        if not isinstance(block.attn1.processor, CausalProcessor):
            block.attn1.set_processor(CausalProcessor(layer, block.attn1.processor))


def _usual(wan: Any) -> nn.Module:
    """The model's own rotary embedding."""
    rope: nn.Module = wan.rope
    return rope.usual if isinstance(rope, Rope) else rope


@dataclass(frozen=True, eq=False)
class Sight:
    """What the frames of one forward see."""

    layout: Layout
    rotary: tuple[Tensor, Tensor]
    """Of the past, then of the frames of this forward. [keys, channels]"""
    past: Past | None
    written: Written | None

    @property
    def tokens(self) -> int:
        """Of a latent frame."""
        return len(self.rotary[0]) // len(self.layout.positions)

    def keys(self, layer: int, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Those of the past and of this forward, [B, keys, heads, channels], at their positions."""
        if self.written is not None:
            self.written[layer] = (key, value)
        if self.past is not None:
            keys, values = self.past.read(layer)
            key, value = _joined([*keys, key]), _joined([*values, value])
        return _turned(key, self.rotary), value

    def queries(self, query: Tensor) -> Tensor:
        """Those of this forward, at their positions."""
        own = query.shape[1]
        return _turned(query, (self.rotary[0][-own:], self.rotary[1][-own:]))

    def attend(self, query: Tensor, key: Tensor, value: Tensor, attention: Callable[..., Tensor]) -> Tensor:
        """Run by run, each with the keys that it sees and no mask: any kernel will do, and hidden keys cost nothing."""
        parts = []
        for frames, seen in self.layout.runs:
            keys, values = (_joined([self._of(x, span) for span in seen]) for x in (key, value))
            parts.append(attention(self._of(query, frames), keys, values))
        return _joined(parts)

    def _of(self, x: Tensor, span: Span) -> Tensor:
        return x[:, span[0] * self.tokens : span[1] * self.tokens]


def _joined(parts: Sequence[Tensor]) -> Tensor:
    """One after another, where and in the precision that the last is in, as this forward. [B, tokens, heads, channels]"""
    return torch.cat([part.to(parts[-1]) for part in parts], dim=1) if len(parts) > 1 else parts[0]


def _turned(x: Tensor, rotary: tuple[Tensor, Tensor]) -> Tensor:
    turned: Tensor = apply_rotary_emb(x, rotary, sequence_dim=1)
    return turned


class Rope(nn.Module):
    """In place of the model's rotary embedding: what is seen, at the positions of a layout."""

    def __init__(
        self, usual: Any, layout_of: Callable[[int], Layout], past: Past | None = None, written: Written | None = None
    ) -> None:
        """`layout_of`: the layout of so many latent frames."""
        super().__init__()
        self.usual = usual
        self.layout_of, self.past, self.written = layout_of, past, written

    def forward(self, x: Tensor) -> Sight:
        """For x [B, C, T, h, w]. Raises ValueError for another number of frames, and for more than the model has positions."""
        layout = self.layout_of(x.shape[2])
        if x.shape[2] != layout.frames:
            raise ValueError(
                f"latent frames: received {x.shape[2]}, expected {layout.frames} for the blocks that were given"
            )
        reach = max(layout.positions) + 1
        if reach > self.usual.max_seq_len:
            raise ValueError(
                f"latent frames seen at once: received {reach}, expected at most {self.usual.max_seq_len}, the positions that the "
                "model has; remember fewer"
            )
        whole = self.usual(x[:, :, :1].expand(-1, -1, reach, -1, -1))
        at = list(layout.positions)
        cos, sin = (part.reshape(reach, -1, part.shape[-1])[at].flatten(0, 1) for part in whole)
        return Sight(layout, (cos, sin), self.past, self.written)


class CausalProcessor(WanAttnProcessor):  # type: ignore[misc]
    """diffusers' processor, which does as a `Sight` says where it is given one in place of the rotary embedding."""

    def __init__(self, layer: int, usual: WanAttnProcessor) -> None:
        """The layer names what the past holds of it; attention backend and parallelism are those of the usual processor."""
        super().__init__()
        self.layer = layer
        self.__dict__.update(usual.__dict__)

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        rotary_emb: Any = None,
    ) -> Tensor:
        """As diffusers calls it. [B, tokens, channels]"""
        if isinstance(rotary_emb, Sight):
            seen: Tensor = self._see(attn, hidden_states, rotary_emb)
            return seen
        usual: Tensor = super().__call__(attn, hidden_states, encoder_hidden_states, attention_mask, rotary_emb)
        return usual

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # it reads and writes Python's lists, of another length at every block and layer
    def _see(self, attn: Any, x: Tensor, sight: Sight) -> Tensor:
        query, key, value = attn.norm_q(attn.to_q(x)), attn.norm_k(attn.to_k(x)), attn.to_v(x)
        query, key, value = (part.unflatten(2, (attn.heads, -1)) for part in (query, key, value))
        key, value = sight.keys(self.layer, key, value)
        out = sight.attend(sight.queries(query), key, value, self._attend).flatten(2).type_as(query)
        result: Tensor = attn.to_out[1](attn.to_out[0](out))
        return result

    def _attend(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        attended: Tensor = dispatch_attention_fn(query, key, value, backend=self._attention_backend)
        return attended
