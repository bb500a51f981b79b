"""The loop of diffusion forcing: each clip is denoised behind its own history, which has a noise level of its own."""

from typing import Any

import torch
from torch import Tensor

from svi.axes import ForcingSettings
from svi.frames import Frames
from svi.generation.denoiser import Denoiser, Given
from svi.generation.history import History
from svi.generation.loop import Films, First, State
from svi.method.levels import descended, pyramid
from svi.method.recycle import interpolate


class ForcingLoop:
    """New frames behind history, all in one window, with a noise level each (protocol: svi.generation.loop.Loop).

    forcing.sigma_h: the history, noised afresh for each clip and told to be so ("stabilised", Diffusion Forcing, arXiv 2407.01392);
    forcing.weight: v_masked + weight (v - v_masked), where masked history is pure noise (HistoryGuidance-style, arXiv 2502.06764);
    forcing.stagger: steps by which each new frame lags behind the one before it.
    """

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Any = None) -> None:
        """Raises ValueError for a history that no latents hold, and for guidance by a model of two experts."""
        self.denoiser, self.history = denoiser, History(denoiser, settings)
        self.forcing: ForcingSettings = settings.forcing
        if self.forcing.weight != 1 and len(denoiser.models) > 1:
            raise ValueError(
                f"forcing.weight is {self.forcing.weight:g}; a masked history is pure noise, which the low-noise expert of this "
                "model never sees: set forcing.weight=1"
            )

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        history = self.history.of(films, past)
        new = self._denoised(history, films, clip)
        return self.history.ended(torch.cat([history, new], dim=2), past)

    def first(self, films: Films, error: Tensor) -> First:
        """The first frame behind the image (protocol: svi.generation.loop.Probed)."""
        return First(self._denoised(self.history.of(films, None) + error[:, :, None], films, 0)[:, :, 0])

    @torch.no_grad()
    def _denoised(self, history: Tensor, films: Films, clip: int) -> Tensor:
        """The new latents behind a history [B, C, H, h, w]."""
        h, noise, given = history.shape[2], films.noise(clip), self.history.given(films, clip)
        levels = self._levels(h, noise.shape[2] - h)
        known = interpolate(history, noise[:, :, :h], 1 - levels[:1, :h].float().expand(len(history), h))

        def velocity(level: Tensor, x: Tensor) -> Tensor:
            if not level[h]:  # the first new frame is there, before those that lag behind it
                self.denoiser.known()
            return self._velocity(level, x, given, noise[:, :, :h])

        with self.denoiser.resting():
            return descended(torch.cat([known, noise[:, :, h:]], dim=2), levels, velocity)[:, :, h:]

    def _levels(self, history: int, new: int) -> Tensor:
        """Of the history, which keeps its own, then of the new frames. [moments, T]"""
        levels = pyramid(self.denoiser.sigmas, new, self.forcing.stagger)
        return torch.cat([torch.full((len(levels), history), self.forcing.sigma_h, dtype=levels.dtype), levels], dim=1)

    def _velocity(self, level: Tensor, x: Tensor, given: Given, mask: Tensor) -> Tensor:
        """At these levels [T]; guided by the history, for which `mask` [B, C, H, h, w] stands where there shall be none."""
        v, weight = self.denoiser.velocity(level.expand(len(x), -1), x, given), float(self.forcing.weight)
        if weight == 1:
            return v
        h = mask.shape[2]
        alone = torch.cat([torch.ones_like(level[:h]), level[h:]]).expand(len(x), -1)
        free = self.denoiser.velocity(alone, torch.cat([mask, x[:, :, h:]], dim=2), given)
        return free + weight * (v - free)
