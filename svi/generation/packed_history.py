"""FramePack-style films: each clip is made behind a long past in the sequence, the older the smaller."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from svi.frames import Frames
from svi.generation.denoiser import Denoiser, Given
from svi.generation.history import History
from svi.generation.loop import Films, First, State
from svi.method.levels import descended
from svi.method.packing import PACKED, PAST, packed


class PackedHistory:
    """20 earlier latent frames in two, the handed-on ones, then new frames (FramePack, arXiv 2504.12626, without its kernels).

    Nor are FramePack's inverted orders of sampling built, its own remedy against drift. Protocol: svi.generation.loop.Loop.
    """

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Any = None) -> None:
        """Raises ValueError for a history that no latents hold."""
        self.denoiser, self.past = denoiser, History(denoiser, settings)
        self.step = denoiser.backbone.latent_shape[1] - self.past.latents

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        history = self.past.of(films, past)
        older = history[:, :, :0] if past is None else past["older"]
        latents = self._denoised(films, clip, older, history)
        frames, state = self.past.ended(latents, past)
        state["older"] = torch.cat([older, latents[:, :, : self.step]], dim=2)[:, :, -PAST:].clone()
        return frames, state

    def first(self, films: Films, error: Tensor) -> First:
        """The first frame behind the image (protocol: svi.generation.loop.Probed)."""
        history = self.past.of(films, None) + error[:, :, None]
        return First(self._denoised(films, 0, history[:, :, :0], history)[:, :, 1])

    @torch.no_grad()
    def _denoised(self, films: Films, clip: int, older: Tensor, history: Tensor) -> Tensor:
        """A clip's latents, history and new ones, behind what is older. [B, C, T, h, w]"""
        h, given = history.shape[2], lengthened(self.past.given(films, clip))
        x = torch.cat([packed(older), history, films.noise(clip)[:, :, h:]], dim=2)
        sigmas = torch.tensor(self.denoiser.sigmas, dtype=torch.float64)[:, None]
        known = torch.zeros_like(sigmas).expand(-1, PACKED + h)
        levels = torch.cat([known, sigmas.expand(-1, x.shape[2] - PACKED - h)], dim=1)
        with self.denoiser.resting():
            x = descended(x, levels, lambda at, x: self.denoiser.velocity(at.expand(len(x), -1), x, given))
        return x[:, :, PACKED:]


def lengthened(given: Given) -> Given:
    """For a window that begins with packed frames, of which the condition says nothing either."""
    condition = {**given.condition, "latents": F.pad(given.condition["latents"], (0, 0, 0, 0, PACKED, 0))}
    return Given(condition, given.text, given.negative)
