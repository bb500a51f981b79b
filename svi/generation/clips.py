"""The clip loop: each clip is conditioned on the last frames of the one before."""

from typing import Any

import torch
from torch import Tensor

from svi.backbones.backbone import Condition
from svi.backbones.padding import past_of, with_past
from svi.frames import Frames
from svi.generation.denoiser import Denoiser, Given
from svi.generation.loop import Films, First, State
from svi.generation.remedies import recoloured, watched
from svi.memory.reference import Reference
from svi.method.drift_detector import disturbed


class ClipLoop:
    """Whole clips, each conditioned on the last frames (or latents) of the one before (protocol: svi.generation.loop.Loop).

    With `generate.fix` every clip but the first is shown and handed on in the start image's colours. With `generate.detector` what
    a drifted clip hands on is disturbed where it conditions the next one; shown it is as it was made.
    """

    def __init__(self, denoiser: Denoiser, settings: Any, memory: Reference | None = None) -> None:
        self.denoiser, self.backbone, self.memory = denoiser, denoiser.backbone, memory
        self.settings, self.condition = settings.generate, settings.condition

    def next(self, films: Films, clip: int, past: State | None) -> tuple[Frames, State]:
        past = past or {}
        latents = self.denoiser.clip(self.given(films, clip, past), films.noise(clip))
        frames = self.denoiser.decode(latents)
        if past and self.settings.fix != "none":
            frames = recoloured(frames, films.images, self.settings.fix)
        return frames, self._state(films, frames, latents, past)

    def after(self, films: Films, frames: Frames) -> State:
        """What the first clip needs of frames before it that nobody made, [B, L, H, W, 3] uint8: as if they were a clip."""
        return self._state(films, frames, self.backbone.encode(torch.from_numpy(frames)), {})

    def _state(self, films: Films, frames: Frames, latents: Tensor, past: State) -> State:
        """What the clip after this one needs."""
        m = self.condition.motion_frames
        handed_on = latents[:, :, -self.backbone.latent_frames(m) :]
        state = {"frames": torch.from_numpy(frames[:, -m:].copy()), "latents": handed_on.clone()}
        if self.memory is not None:
            last = past.get("reference", films.images)
            state["reference"] = self.memory.reference(films.images, last, torch.from_numpy(frames))
        if self.settings.detector == "statistics":
            state |= watched(latents, past)
        return state

    def first(self, films: Films, error: Tensor) -> First:
        """Protocol: svi.generation.loop.Probed."""
        condition, channels = self.first_condition(films.images), self.backbone.latent_shape[0]
        given = condition["latents"][:, -channels:, 0]
        # As an error of the frame that is handed on: where that frame is repeated, its error is too.
        reached = slice(None) if self.condition.padding == "repeat" else slice(1)
        wrong = {**condition, "latents": condition["latents"].clone()}
        wrong["latents"][:, -channels:, reached] += error[:, :, None]
        made = self.denoiser.clip(Given({**wrong, **films.signals(0)}, films.text(0), films.negative), films.noise(0))
        return First(made[:, :, 0], given)

    def given(self, films: Films, clip: int, past: State | None) -> Given:
        """What a clip is made from besides noise; no past: the images begin the films."""
        condition = self._condition(past, films, clip) if past else self.first_condition(films.images)
        return Given({**condition, **films.signals(clip)}, films.text(clip), films.negative)

    def _condition(self, past: State, films: Films, clip: int) -> Condition:
        """From what was handed on; where a film has drifted, that is disturbed, by noise that no clip of the film begins from (but
        where generate.seed_stride=0 gives all one noise)."""
        latents = past["latents"] if self.settings.handoff == "latent" else None
        reference = past.get("reference", films.images)
        condition = self.backbone.condition(past["frames"], reference, self.condition, latents)
        if "drifted" not in past or not past["drifted"].any():
            return condition
        noise = films.noise(films.clips + clip)
        handed_on = past_of(condition, self.condition, noise.shape[1], past["latents"].shape[2])
        noise = noise[:, :, : handed_on.shape[2]]
        return with_past(condition, self.condition, disturbed(handed_on, past["drifted"], noise))

    def first_condition(self, reference: Tensor) -> Condition:
        """From the image alone: as the one motion frame, or as the anchor, before which nothing moved."""
        motion, settings = reference[:, None], self.condition.model_copy(update={"motion_frames": 1})
        nothing = torch.empty(len(reference), self.backbone.latent_shape[0], 0, *self.backbone.latent_shape[2:])
        return self.backbone.condition(motion, reference, settings, nothing if settings.anchor else None)
