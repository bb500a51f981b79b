"""The protocol of a generation loop: how the frames of films come about, clip after clip."""

from typing import Any, NamedTuple, Protocol, runtime_checkable

from torch import Tensor

from svi.backbones.backbone import Condition
from svi.frames import Frames
from svi.generation.denoiser import Denoiser

State = dict[str, Tensor]
"""What the next clip needs of the past, by name; it lies on disk between two clips."""


class Films(Protocol):
    """What some films of one size are made from, side by side."""

    images: Tensor
    """The start images, [B, H, W, 3] uint8."""
    clips: int
    """How many clips a film has. Text and noise of later ones may be asked for too, unless the loop's part gives `CLIP_BY_CLIP`."""
    negative: Tensor
    """What guidance leads away from, [B, tokens, channels]."""

    def text(self, clip: int) -> Tensor:
        """The prompts of a clip, [B, tokens, channels]."""

    def signals(self, clip: int) -> Condition:
        """What a clip is given of the signals that films follow, by key; nothing where they follow none."""

    def noise(self, clip: int) -> Tensor:
        """The noise that a clip begins from, [B, C, T, h, w]."""


class Loop(Protocol):
    """Makes one clip after another; each begins with the `condition.overlap` frames that it shares with the one before."""

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Any = None) -> None:
        """`settings` has a section an attribute: generate, condition, and the loop's own. `memory`: none, or of the kind that the
        loop gives a place to (svi/parts.py): a `Reference` in the clip loop, a `Memory` where there is a cache."""

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        """The frames of a clip, [B, L, H, W, 3] uint8, and what the one after it needs; no past: the images begin the films."""


class First(NamedTuple):
    """The first latent frame that a loop makes, [B, C, h, w]; `given`: the start image's, where it is this frame made again.

    None: it is a new frame, which has moved, so that nothing says what it should be.
    """

    made: Tensor
    given: Tensor | None = None


@runtime_checkable
class Probed(Protocol):
    """A loop whose gain can be measured: its part gives `svi.parts.GAIN`, and `EPS` where its first frame is the start image's."""

    def first(self, films: Films, error: Tensor) -> First:
        """Of the first clip, where `error` [B, C, h, w] is added to the latents of the start images."""
