"""The loop over blocks: each is denoised behind a cache of the past's keys and values, and then remembered there."""

from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from svi.backbones.attention import blocks
from svi.backbones.padding import unknown
from svi.backbones.wrapped import bare
from svi.frames import Frames
from svi.generation.denoiser import Denoiser, Given
from svi.generation.history import ungiven
from svi.generation.loop import Films, First, State
from svi.memory.cache import Cache
from svi.memory.memory import Memory
from svi.memory.window import Window
from svi.method.recycle import interpolate

Caches = dict[tuple[str, str], Cache]
"""By expert and branch of guidance."""


class BlockLoop:
    """A film as one sequence of latents, `method.block` at a time (protocol: svi.generation.loop.Loop; CausVid, arXiv 2412.07772).

    A finished block goes through the model once more, at t = 1 - cache.noise, and leaves its keys and values. The start image is
    the first frame of the past, and nothing else is given: of condition.* the overlap alone counts. The film never leaves latent
    space, whatever generate.handoff says. What was remembered under a prompt stays as it was when the prompt changes.
    """

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Memory | None = None) -> None:
        """Without a memory, the last cache.frames latent frames are remembered."""
        self.denoiser, self.backbone = denoiser, denoiser.backbone
        self.condition, self.block, self.sigma = settings.condition, settings.method.block, settings.cache.noise
        self.memory = Window.of(settings) if memory is None else memory

    @torch.no_grad()
    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        given, noise = ungiven(self.backbone, self.condition, films, clip), films.noise(clip)
        caches = self._caches(given, past)
        if past is None:
            latents = self.backbone.encode(films.images[:, None])
            self._remember(caches, latents, noise[:, :, :1], given)
        else:
            latents = past["latents"]
        new = self._latents(clip) - (self._latents(clip - 1) if clip else 1)
        for x in torch.split(noise[:, :, noise.shape[2] - new :], list(blocks(1 + new, self.block)[1:]), dim=2):
            made = self._made(caches, x, given)
            self.denoiser.known()
            self._remember(caches, made, x, given)
            latents = torch.cat([latents, made], dim=2)
        latents = latents[:, :, -self.backbone.latent_shape[1] - 1 :].clone()
        frames = self._frames(latents, clip, past)
        shared = torch.from_numpy(frames[:, -self.condition.overlap :].copy())
        return frames, {"latents": latents, "frames": shared, **_state(caches)}

    @torch.no_grad()
    def first(self, films: Films, error: Tensor) -> First:
        """The frame after the start image."""
        given, noise = ungiven(self.backbone, self.condition, films, 0), films.noise(0)
        caches, size = self._caches(given, None), blocks(noise.shape[2], self.block)[1]
        start = self.backbone.encode(films.images[:, None]) + error[:, :, None]
        self._remember(caches, start, noise[:, :, :1], given)
        return First(self._made(caches, noise[:, :, 1 : 1 + size], given)[:, :, 0])

    def _made(self, caches: Caches, x: Tensor, given: Given) -> Tensor:
        """From noise x to the latents of a block. [B, C, block, h, w]"""

        def seeing(expert: str, branch: str) -> AbstractContextManager[None]:
            return caches[expert, branch].reading(self.denoiser.models[expert], x.shape[2])

        return self.denoiser.clip(_sized(given, x), x, seeing)

    def _remember(self, caches: Caches, x: Tensor, noise: Tensor, given: Given) -> None:
        """Have all experts see finished frames, and the memory keep what it keeps of them; noised by what they were made from."""
        t = torch.full((len(x),), 1 - self.sigma)
        x, given = interpolate(x, noise, t), _sized(given, x)
        with self.denoiser.resting():
            for (expert, branch), cache in caches.items():
                model, text = self.denoiser.models[expert], self.denoiser.branches(expert, given)[branch].given.text
                with cache.writing(model, x.shape[2]):
                    self.backbone.velocity(model, x, t, given.condition, text, branch)

    def _caches(self, given: Given, past: State | None) -> Caches:
        """One for each expert and each branch of its guidance: empty, or as they were."""
        caches: Caches = {}
        for expert, model in self.denoiser.models.items():
            for branch in self.denoiser.branches(expert, given):
                cache = caches[expert, branch] = Cache(self.memory)
                if past is not None:
                    begin = _name(expert, branch)
                    own = {name.removeprefix(begin): x for name, x in past.items() if name.startswith(begin)}
                    cache.load(own, bare(model).device)
        return caches

    # Where clips lie in the film

    @property
    def _each(self) -> int:
        """Frames of a latent, but for the first."""
        return (self.backbone.clip_frames - 1) // (self.backbone.latent_shape[1] - 1)

    def _begin(self, clip: int) -> int:
        overlap: int = self.condition.overlap
        return clip * (self.backbone.clip_frames - overlap)

    def _latents(self, clip: int) -> int:
        """Of the film, when this clip is there."""
        last = self._begin(clip) + self.backbone.clip_frames - 1
        return 1 - (-last // self._each)

    def _frames(self, latents: Tensor, clip: int, past: State | None) -> Frames:
        """Of a clip, decoded behind a clip's latents, for a decoder's first frames lack their past; shared frames stay."""
        begin = self._begin(clip) - self._each * (self._latents(clip) - latents.shape[2])
        frames = self.denoiser.decode(latents)[:, begin : begin + self.backbone.clip_frames]
        if past is not None:
            frames[:, : self.condition.overlap] = past["frames"].numpy()
        return frames


def _sized(given: Given, x: Tensor) -> Given:
    """For as many latent frames as x has."""
    return replace(given, condition=unknown(given.condition, x.shape[2]))


def _state(caches: Caches) -> State:
    return {_name(*key) + name: x for key, cache in caches.items() for name, x in cache.state().items()}


def _name(expert: str, branch: str) -> str:
    return f"{expert}.{branch}."
