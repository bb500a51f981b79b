"""The clip loop: each clip is conditioned on the last frames of the one before."""

from typing import Any

import torch
from torch import Tensor

from svi.backbones.backbone import Condition
from svi.frames import Frames
from svi.generation.denoiser import Denoiser, Given
from svi.generation.loop import Films, State
from svi.memory.reference import Reference


class ClipLoop:
    """Whole clips, each conditioned on the last frames (or latents) of the one before (protocol: svi.generation.loop.Loop)."""

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Reference | None = None) -> None:
        self.denoiser, self.backbone, self.memory = denoiser, denoiser.backbone, memory
        self.settings, self.condition = settings.generate, settings.condition

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        past = past or {}
        condition = self._condition(past, films.images) if past else self.first_condition(films.images)
        latents = self.denoiser.clip(Given(condition, films.text(clip), films.negative), films.noise(clip))
        frames, m = self.denoiser.decode(latents), self.condition.motion_frames
        handed_on = latents[:, :, -self.backbone.latent_frames(m) :]
        state = {"frames": torch.from_numpy(frames[:, -m:].copy()), "latents": handed_on.clone()}
        if self.memory is not None:
            last = past.get("reference", films.images)
            state["reference"] = self.memory.reference(films.images, last, torch.from_numpy(frames))
        return frames, state

    def _condition(self, past: State, start: Tensor) -> Condition:
        latents = past["latents"] if self.settings.handoff == "latent" else None
        return self.backbone.condition(past["frames"], past.get("reference", start), self.condition, latents)

    def first_condition(self, reference: Tensor) -> Condition:
        """From the image alone: as the one motion frame, or as the anchor, before which nothing moved."""
        motion, settings = reference[:, None], self.condition.model_copy(update={"motion_frames": 1})
        nothing = torch.empty(len(reference), self.backbone.latent_shape[0], 0, *self.backbone.latent_shape[2:])
        return self.backbone.condition(motion, reference, settings, nothing if settings.anchor else None)
