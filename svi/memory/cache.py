"""A cache of keys and values: what later blocks of a film see of the earlier ones."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from svi.backbones import attention
from svi.backbones.attention import Written
from svi.memory.memory import Frame, Memory


@dataclass(frozen=True, eq=False)
class Kept:
    """Frames as attention reads them (svi.backbones.attention.Past)."""

    frames: tuple[Frame, ...] = ()

    def __len__(self) -> int:
        """How many."""
        return len(self.frames)

    def read(self, layer: int) -> tuple[list[Tensor], list[Tensor]]:
        """Keys and values, oldest first. [B, tokens, heads, channels]"""
        return [frame.keys[layer] for frame in self.frames], [frame.values[layer] for frame in self.frames]


class Cache:
    """What one transformer remembers of films made side by side, as much as its memory keeps.

    Keys and values know the text: with guidance each branch has a cache of its own, and so has each expert.
    """

    def __init__(self, memory: Memory) -> None:
        """Empty."""
        self.memory = memory
        self.kept = Kept()
        self.seen = 0  # frames of the film that were written

    def reading(self, transformer: nn.Module, frames: int) -> AbstractContextManager[None]:
        """Inside, a forward of `frames` latent frames sees itself and what is kept. Raises ValueError as `attention.causal`."""
        return attention.causal(transformer, [frames], self.kept)

    @contextmanager
    def writing(self, transformer: nn.Module, frames: int) -> Iterator[None]:
        """As `reading`; afterwards the frames are remembered, as the last forward inside had them, without their gradients.

        The forward is that of a finished block at t = 1, or a little below (context noise). Nothing is remembered after an error.
        """
        written: Written = {}
        with attention.causal(transformer, [frames], self.kept, written):
            yield
        new = [self._frame(written, frame, frames) for frame in range(frames)]
        self.kept = Kept(tuple(self.memory.keep([*self.kept.frames, *new])))
        self.seen += frames

    def state(self) -> dict[str, Tensor]:
        """All that is remembered, on the CPU and as NumPy can hold it: bfloat16 as the bits of int16."""
        kept = self.kept.frames
        state = {"seen": torch.tensor(self.seen), "index": torch.tensor([frame.index for frame in kept])}
        for row, frame in enumerate(kept):
            for part, layers in (("keys", frame.keys), ("values", frame.values)):
                stacked = torch.stack(layers).cpu()
                state[f"{part}.{row}"] = stacked.view(torch.int16) if stacked.dtype == torch.bfloat16 else stacked
        return state

    def load(self, state: Mapping[str, Tensor], device: torch.device) -> None:
        """Remember what `state` said, to the last bit."""
        frames = []
        for row, index in enumerate(state["index"].tolist()):
            stacked = (state[f"{part}.{row}"] for part in ("keys", "values"))
            keys, values = (
                tuple((x.view(torch.bfloat16) if x.dtype == torch.int16 else x).to(device)) for x in stacked
            )
            frames.append(Frame(index, keys, values))
        self.kept, self.seen = Kept(tuple(frames)), int(state["seen"])

    def _frame(self, written: Written, frame: int, frames: int) -> Frame:
        """A copy: what is kept must not hold the whole block in memory."""
        keys, values = (
            tuple(written[layer][part].detach().chunk(frames, dim=1)[frame].clone() for layer in sorted(written))
            for part in (0, 1)
        )
        return Frame(self.seen + frame, keys, values)
