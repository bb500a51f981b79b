"""A cache of keys and values: what later blocks of a film see of the earlier ones."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

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

    def _frame(self, written: Written, frame: int, frames: int) -> Frame:
        """A copy: what is kept must not hold the whole block in memory."""
        keys, values = (
            tuple(written[layer][part].detach().chunk(frames, dim=1)[frame].clone() for layer in sorted(written))
            for part in (0, 1)
        )
        return Frame(self.seen + frame, keys, values)
