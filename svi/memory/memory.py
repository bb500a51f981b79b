"""The protocol of a memory: which frames of the past a generator keeps."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Frame:
    """What attention needs of a latent frame, by layer. [B, tokens, heads, channels]"""

    index: int
    """In the film."""
    keys: tuple[Tensor, ...]
    """Before the rotary embedding."""
    values: tuple[Tensor, ...]

    def towards(self, other: "Frame", share: float) -> "Frame":
        """This frame, with `share` of the other in its keys and values: x + share (x' - x), float32.

        In bfloat16 a small share would be rounded away.
        """
        keys, values = (
            tuple(a.float().lerp(b.float(), share) for a, b in zip(own, theirs, strict=True))
            for own, theirs in ((self.keys, other.keys), (self.values, other.values))
        )
        return Frame(self.index, keys, values)


class Memory(Protocol):
    """A rule of what to keep, the same for every layer.

    Whatever is kept stands side by side in the rotary embedding, oldest first: position 0, 1, 2, ..., then the block that is made
    (Infinity-RoPE; Deep Forcing realigns its sink like this).
    """

    def keep(self, frames: Sequence[Frame]) -> list[Frame]:
        """Of what was kept and the frames that came since, oldest first; never more than a number that the rule's fields give."""


def counted(**frames: int) -> None:
    """Raises ValueError where a number of frames is negative."""
    for name, number in frames.items():
        if number < 0:
            raise ValueError(f"{name} of a memory: received {number}, expected 0 frames or more")
