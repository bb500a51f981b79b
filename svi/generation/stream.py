"""The stream: a buffer of frames at rising noise, from which the cleanest chunk is emitted again and again."""

from typing import Any

import torch
from torch import Tensor

from svi.frames import Frames
from svi.generation.denoiser import Denoiser
from svi.generation.history import History
from svi.generation.loop import Films, First, State
from svi.method.levels import descended
from svi.method.partition import Partition
from svi.method.recycle import interpolate


class StreamLoop:
    """StreamDiT's buffer (arXiv 2507.03745), with chunks of one frame Rolling Diffusion's (2402.09470).

    s micro-steps raise the t of each of N chunks by 1 / (s N); the oldest is then done and emitted, and noise is pushed. A film
    begins with an ordinary clip behind the image, whose frames are put at the buffer's levels. A film's clips are emitted latents,
    decoded as clips; each begins with the last of the one before. Protocol:
    svi.generation.loop.Loop.
    """

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Any = None) -> None:
        """Raises ValueError as `StreamSettings.check_chunk`, and for an overlap that no latents hold."""
        self.denoiser, self.past = denoiser, History(denoiser, settings)
        backbone, stream = denoiser.backbone, settings.stream
        self.frames = backbone.latent_shape[1]
        stream.check_chunk(backbone.clip_frames, self.frames)
        self.partition = Partition.of(backbone.clip_frames, self.frames, stream.chunk)
        self.step = self.frames - self.past.latents
        self.micro_steps = stream.micro_steps or max(1, round(settings.generate.steps * stream.chunk / self.step))

    @torch.no_grad()
    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        with self.denoiser.resting():
            state = self._begun(films, self.past.of(films, None)) if past is None else past
            state = self._emitted(films, clip, self.frames, state)
        frames = self.denoiser.decode(state["ready"][:, :, : self.frames])
        state["ready"] = state["ready"][:, :, self.step :]
        return frames, {name: latents.clone() for name, latents in state.items()}

    @torch.no_grad()
    def first(self, films: Films, error: Tensor) -> First:
        """Protocol: svi.generation.loop.Probed. The frame behind the image's, as it is emitted."""
        begun = self._begun(films, self.past.of(films, None) + error[:, :, None])
        return First(self._emitted(films, 0, 2, begun)["ready"][:, :, 1])

    def _emitted(self, films: Films, clip: int, frames: int, state: State) -> State:
        """When at least so many latents of a clip are ready."""
        ready, reference, buffer = state["ready"], state["reference"], state["buffer"]
        while ready.shape[2] < frames:
            done, buffer = self._advanced(films, clip * self.step + ready.shape[2], reference, buffer)
            ready = torch.cat([ready, done], dim=2)
            reference = torch.cat([reference, done], dim=2)[:, :, done.shape[2] :]
            if ready.shape[2] > 1:  # more than the image
                self.denoiser.known()
        return {"ready": ready, "reference": reference, "buffer": buffer}

    def _begun(self, films: Films, image: Tensor) -> State:
        """From an ordinary clip behind the image: its frames before the buffer are emitted, the others get the buffer's noise."""
        part = self.partition
        sigmas = torch.tensor(self.denoiser.sigmas, dtype=torch.float64)[:, None]
        levels = torch.cat([torch.zeros_like(sigmas), sigmas.expand(-1, self.frames - 1)], dim=1)
        clip = self._denoised(films, 0, torch.cat([image, films.noise(0)[:, :, 1:]], dim=2), levels)
        before = part.lead + part.reference
        t = part.times(1.0)[before:].to(clip.dtype).expand(len(clip), -1)
        buffer = interpolate(clip[:, :, before:], self._noise(films, range(before, self.frames)), t)
        return {"ready": clip[:, :, :before], "reference": clip[:, :, part.lead : before], "buffer": buffer}

    def _advanced(self, films: Films, first: int, reference: Tensor, buffer: Tensor) -> tuple[Tensor, Tensor]:
        """The chunk that is done, and the buffer with noise behind it; `first`: which latent of the film the oldest is.

        The prompt is that of the frame in the middle.
        """
        part = self.partition
        levels = torch.stack([1 - part.times(1 - step / self.micro_steps) for step in range(self.micro_steps + 1)])
        lead = films.noise(1 + self._clip_of(first))[:, :, : part.lead]
        window, middle = torch.cat([lead, reference, buffer], dim=2), self._clip_of(first + part.buffer // 2)
        buffer = self._denoised(films, middle, window, levels)[:, :, -part.buffer :]
        pushed = self._noise(films, range(first + part.buffer, first + part.buffer + part.chunk))
        return buffer[:, :, : part.chunk], torch.cat([buffer[:, :, part.chunk :], pushed], dim=2)

    def _denoised(self, films: Films, clip: int, x: Tensor, levels: Tensor) -> Tensor:
        """x from the first to the last of these levels [moments, T], by the prompts of a clip."""
        given = self.past.given(films, clip)
        return descended(x, levels, lambda level, x: self.denoiser.velocity(level.expand(len(x), -1), x, given))

    def _clip_of(self, latent: int) -> int:
        """The clip that adds this latent of the film."""
        return max(0, (latent - self.past.latents) // self.step)

    def _noise(self, films: Films, latents: range) -> Tensor:
        """Of these latents of the film; clip i has the noise of i + 1, since the ordinary clip has the first."""
        found = []
        for latent in latents:
            clip = self._clip_of(latent)
            found.append(films.noise(1 + clip)[:, :, latent - clip * self.step])
        return torch.stack(found, dim=2)
