"""FreeNoise-style films: every clip begins from the first clip's noise in another order, and clips are blended where they meet."""

import numpy as np
import torch
from torch import Tensor

from svi.backbones.backbone import Condition
from svi.frames import Frames
from svi.generation.clips import ClipLoop
from svi.generation.loop import Films, State
from svi.method.draws import keyed


class FreeNoise(ClipLoop):
    """The clip loop with FreeNoise's noise (arXiv 2310.15169), without training; protocol: svi.generation.loop.Loop.

    One long noise: its first T frames are drawn, and whatever follows is a shuffle of the frames that the window before leaves
    behind. So each clip has all the noise of the first, and where two clips overlap they have the same. There a clip is shown as
    a blend of both, the later one gaining weight. FreeNoise fuses windows inside temporal attention, in each step; clips that
    are made one after another leave only their frames to blend.
    """

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        frames, state = super().next(Reordered(films, self.order(films.noise(0).shape[2], clip)), clip, past)
        if past is not None:
            begin, before = int(self.condition.anchor), past["frames"].numpy()
            shared = slice(begin, begin + before.shape[1])
            frames[:, shared] = blended(before, frames[:, shared])
        return frames, state

    def order(self, latents: int, clip: int) -> Tensor:
        """Which frames of the first clip's noise a clip begins from: a permutation of all. [latents]"""
        step = latents - self.backbone.latent_frames(self.condition.overlap)
        order = torch.arange(latents)
        for later in range(1, clip + 1):
            shuffle = torch.randperm(step, generator=keyed("free noise", self.settings.seed, later))
            order = torch.cat([order[step:], order[:step][shuffle]])
        return order


class Reordered:
    """Films whose clips all begin from the first one's noise, its frames in this order (protocol: svi.generation.loop.Films)."""

    def __init__(self, films: Films, order: Tensor) -> None:
        self.images, self.clips, self.negative, self.text = films.images, films.clips, films.negative, films.text
        self._films, self._order = films, order

    def signals(self, clip: int) -> Condition:
        return self._films.signals(clip)

    def noise(self, clip: int) -> Tensor:
        """What no clip begins from (a remedy's) is left as it is."""
        return self._films.noise(0)[:, :, self._order] if clip < self.clips else self._films.noise(clip)


def blended(before: Frames, after: Frames) -> Frames:
    """From one to the other, each [B, m, H, W, 3] uint8: frame i of m has i / (m + 1) of the later clip, the first being 1."""
    share = np.linspace(0, 1, before.shape[1] + 2, dtype=np.float32)[1:-1, None, None, None]
    return np.rint((1 - share) * before + share * after).astype(np.uint8)
