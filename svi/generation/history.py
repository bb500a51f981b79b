"""The past of a film in the sequence itself: the first latents of a clip are the last frames of the one before."""

from typing import Any

import torch
from torch import Tensor

from svi.backbones.backbone import Backbone
from svi.backbones.padding import unknown
from svi.frames import Frames
from svi.generation.denoiser import Denoiser, Given
from svi.generation.loop import Films, State
from svi.settings import ConditionSettings


def whole_latents(backbone: Backbone, frames: int) -> int:
    """Latents of so many first frames of a clip. Raises ValueError where they end within a latent.

    A clip's first latent holds one frame; the others hold as many as there are frames left for each of them.
    """
    each = (backbone.clip_frames - 1) // max(backbone.latent_shape[1] - 1, 1)
    if (frames - 1) % each:
        near = 1 + each * max(round((frames - 1) / each), 1)
        raise ValueError(
            f"condition.motion_frames is {frames}; a past that lies in the sequence itself is made of whole latents, which "
            f"hold {each} k + 1 frames: set condition.motion_frames={near}"
        )
    return 1 + (frames - 1) // each


def ungiven(backbone: Backbone, settings: ConditionSettings, films: Films, clip: int) -> Given:
    """A clip's texts, and a condition in which nothing is given."""
    images = films.images[:, None]
    nothing = backbone.encode(images)  # of the right size; it spares encoding a clip
    condition = unknown(backbone.condition(images, films.images, settings, nothing))
    return Given(condition, films.text(clip), films.negative)


class History:
    """What loops share whose clips begin with their own past; before the first clip that is the image alone."""

    def __init__(self, denoiser: Denoiser, settings: Any) -> None:
        """Raises ValueError as `whole_latents` does."""
        self.denoiser, self.backbone, self.condition = denoiser, denoiser.backbone, settings.condition
        self.by_latents = settings.generate.handoff == "latent"
        self.latents = whole_latents(self.backbone, self.condition.overlap)

    def of(self, films: Films, past: State | None) -> Tensor:
        """The latents that a clip begins with, [B, C, H, h, w]."""
        if past is None:
            return self.backbone.encode(films.images[:, None])
        return past["latents"] if self.by_latents else self.backbone.encode(past["frames"])

    def given(self, films: Films, clip: int) -> Given:
        """`ungiven`: the past lies in the sequence."""
        return ungiven(self.backbone, self.condition, films, clip)

    def ended(self, latents: Tensor, past: State | None) -> tuple[Frames, State]:
        """A clip's frames, which begin with those handed on as they were, and what the next clip needs of it."""
        frames, m = self.denoiser.decode(latents), self.condition.overlap
        if past is not None:
            frames[:, :m] = past["frames"].numpy()
        last = {"frames": torch.from_numpy(frames[:, -m:].copy()), "latents": latents[:, :, -self.latents :].clone()}
        return frames, last
