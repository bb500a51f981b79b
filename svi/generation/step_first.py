"""Step-first order: every denoising step of a block sees the block before it at the same noise level (HiAR, arXiv 2603.08703)."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from svi.frames import Frames
from svi.generation.denoiser import Denoiser, Given
from svi.generation.history import History
from svi.generation.loop import Films, First, State
from svi.method.levels import descended
from svi.method.recycle import interpolate

IN_FLIGHT = "blocks"  # in the state: the latents of the blocks after the finished one, [B, blocks, C, G, h, w]


class StepFirst:
    """For step k, for block b: x_b from sigma_k to sigma_(k+1), behind the end of x_(b-1), which is at sigma_(k+1) already.

    A block is the new frames of a clip; the first one stands behind the image, which is clean at every step. The two loops run as
    a wave (protocol: svi.generation.loop.Loop): in turn r block b takes step r - b, later blocks first, so that each sees what the
    block before it was after that very step. So one block is finished by as many forwards as there are steps, as many blocks are
    in flight however long the film is, and films are those of the plain order to the last bit.
    """

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Any = None) -> None:
        """Raises ValueError for a history that no latents, or not the new ones of one block, hold."""
        self.denoiser, self.history = denoiser, History(denoiser, settings)
        self.sigmas = torch.tensor(denoiser.sigmas, dtype=torch.float64)
        h, length = self.history.latents, denoiser.backbone.latent_shape[1]
        if 2 * h > length:
            raise ValueError(
                f"condition.motion_frames makes {h} latents of history, but a clip of {length} has {length - h} new ones, and a "
                "block sees one block before it: set fewer motion frames"
            )

    @torch.no_grad()
    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        history, given = self.history.of(films, past), self.history.given(films, clip)
        blocks = {} if past is None else dict(enumerate(past[IN_FLIGHT].unbind(1), start=clip))
        finished = clip + len(self.sigmas) - 2
        with self.denoiser.resting():
            for turn in range(clip if past is None else finished, finished + 1):
                for block in range(min(turn, films.clips - 1), clip - 1, -1):
                    before = history if block == clip else blocks[block - 1][:, :, -self.history.latents :]
                    x = blocks.get(block, films.noise(block)[:, :, before.shape[2] :])
                    described = replace(given, text=films.text(block))
                    blocks[block] = self._step(turn - block, x, before, described, clean=block == clip)
        frames, state = self.history.ended(torch.cat([history, blocks.pop(clip)], dim=2), past)
        state[IN_FLIGHT] = torch.stack([blocks[b] for b in sorted(blocks)], dim=1) if blocks else torch.empty(0, 0)
        return frames, state

    @torch.no_grad()
    def first(self, films: Films, error: Tensor) -> First:
        """Of a later block, for the first one's past is clean: behind the image at the levels at which a block in flight would show
        it, and its error with it (protocol: svi.generation.loop.Probed)."""
        image, given, noise = self.history.of(films, None), self.history.given(films, 0), films.noise(0)
        image, own, x = image + error[:, :, None], noise[:, :, :1], noise[:, :, 1:]
        with self.denoiser.resting():
            for k, sigma in enumerate(self.sigmas[1:].tolist()):
                seen = interpolate(image, own, torch.full((len(image),), 1 - sigma))
                x = self._step(k, x, seen, given, clean=False)
        return First(x[:, :, 0])

    def _step(self, k: int, x: Tensor, before: Tensor, given: Given, *, clean: bool) -> Tensor:
        """x [B, C, G, h, w] after step k, behind latents that are clean, or at the level that x reaches."""
        own = self.sigmas[k : k + 2, None]
        known = torch.zeros(2, 1) if clean else own[1:].expand(2, 1)
        levels = torch.cat([known.expand(2, before.shape[2]), own.expand(2, x.shape[2])], dim=1)

        def velocity(level: Tensor, window: Tensor) -> Tensor:
            return self.denoiser.velocity(level.expand(len(window), -1), window, given)

        return descended(torch.cat([before, x], dim=2), levels, velocity)[:, :, before.shape[2] :]
