"""StreamingT2V-style films: the clip loop, with the start image among the text's tokens of every clip."""

import torch
from torch import Tensor

from svi.frames import Frames
from svi.generation.clips import ClipLoop
from svi.generation.loop import Films, First, State
from svi.method.anchor_tokens import anchor_tokens


class AnchorTokens(ClipLoop):
    """Short-term memory in the condition, the start image in cross-attention (StreamingT2V, arXiv 2403.14773).

    Protocol: svi.generation.loop.Loop.
    """

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        return super().next(self._anchored(films), clip, past)

    def first(self, films: Films, error: Tensor) -> First:
        """The error is the condition's alone (protocol: svi.generation.loop.Probed)."""
        return super().first(self._anchored(films), error)

    def _anchored(self, films: Films) -> "Anchored":
        image = self.backbone.encode(films.images[:, None])[:, :, 0]
        return Anchored(films, anchor_tokens(image, films.negative.shape[2]))


class Anchored:
    """Films with tokens before every prompt's, the negative one's too (protocol: svi.generation.loop.Films)."""

    def __init__(self, films: Films, tokens: Tensor) -> None:
        self.images, self.clips, self.noise, self.signals = films.images, films.clips, films.noise, films.signals
        self.negative = torch.cat([tokens, films.negative], dim=1)
        self._films, self._tokens = films, tokens

    def text(self, clip: int) -> Tensor:
        return torch.cat([self._tokens, self._films.text(clip)], dim=1)
