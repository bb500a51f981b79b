"""The clip loop: each clip is conditioned on the last frames of the one before, and streamed to disk."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from svi import flow
from svi.backbone import Backbone
from svi.draws import keyed
from svi.settings import ConditionSettings, GenerateSettings
from svi.world import Frames

FRAMES, HANDOFF = "frames.npy", "handoff.npz"


@dataclass(frozen=True)
class Script:
    """What one film is made from: image [H, W, 3] uint8 and one prompt a clip."""

    name: str
    image: Frames
    prompts: tuple[str, ...]


@dataclass(frozen=True)
class Handoff:
    """What the next clip needs of the past: its index, motion frames [S, m, H, W, 3], their latents [S, C, m, h, w]."""

    clip: int
    frames: Frames
    latents: np.ndarray

    def save(self, folder: Path) -> None:
        """Atomically, so that a killed run resumes at a clip's border."""
        fresh = folder / "handoff.tmp.npz"
        np.savez(fresh, clip=self.clip, frames=self.frames, latents=self.latents)
        fresh.replace(folder / HANDOFF)

    @classmethod
    def load(cls, folder: Path) -> "Handoff":
        """From `save`."""
        with np.load(folder / HANDOFF) as file:
            return cls(int(file["clip"]), file["frames"], file["latents"])


class Generator:
    """Makes films clip by clip with one backbone and one (possibly adapted) transformer."""

    def __init__(
        self, backbone: Backbone, transformer: nn.Module, settings: GenerateSettings, condition: ConditionSettings
    ) -> None:
        """The transformer is put in evaluation mode."""
        self.backbone, self.transformer, self.settings, self.condition = (
            backbone,
            transformer.eval(),
            settings,
            condition,
        )

    @torch.inference_mode()
    def films(
        self, scripts: Sequence[Script], n_frames: int, folder: Path, progress: Callable[[int, int], None]
    ) -> np.ndarray:
        """All films side by side, written to frames.npy [S, n_frames, H, W, 3] clip by clip; resumes where it stopped.

        Memory holds one clip a film at a time, whatever the length.
        """
        n_clips, step = len(scripts[0].prompts), self.backbone.clip_frames - self.condition.motion_frames
        reference = torch.from_numpy(np.stack([s.image for s in scripts]))
        if (folder / HANDOFF).is_file():
            handoff = Handoff.load(folder)
            film = np.lib.format.open_memmap(folder / FRAMES, mode="r+")
        else:
            start = reference[:, None]
            handoff = Handoff(0, start.numpy(), self.backbone.encode(start).numpy())
            film = np.lib.format.open_memmap(
                folder / FRAMES, mode="w+", dtype=np.uint8, shape=(len(scripts), n_frames, *reference.shape[1:])
            )
        for clip in range(handoff.clip, n_clips):
            latents = self.clip(
                self._condition(handoff, reference), [s.prompts[clip] for s in scripts], self._noise(scripts, clip)
            )
            frames = self.backbone.decode(latents).numpy()
            begin, last = clip * step, clip == n_clips - 1
            piece = frames[:, : min(frames.shape[1] if last else step, n_frames - begin)]
            film[:, begin : begin + piece.shape[1]] = piece
            film.flush()
            m = self.condition.motion_frames
            handoff = Handoff(clip + 1, frames[:, -m:], latents[:, :, -self.backbone.latent_frames(m) :].numpy())
            handoff.save(folder)
            progress(clip + 1, n_clips)
        return film

    def clip(self, condition: Tensor, prompts: Sequence[str], x: Tensor) -> Tensor:
        """Euler steps from noise x to a clean clip, with classifier-free guidance. [B, C, T, h, w]"""
        sigmas = [*flow.inference_sigmas(self.settings.steps, self.settings.shift).tolist(), 0.0]
        text, nothing = self.backbone.encode_text(prompts), self.backbone.encode_text([""] * len(prompts))
        for sigma, following in pairwise(sigmas):
            t = torch.full((len(x),), 1 - sigma)
            v = self.backbone.velocity(self.transformer, x, t, condition, text)
            if self.settings.guidance != 1:
                free = self.backbone.velocity(self.transformer, x, t, condition, nothing)
                v = free + self.settings.guidance * (v - free)
            x = x + (sigma - following) * v
        return x

    @torch.inference_mode()
    def probe(self, scripts: Sequence[Script]) -> dict[str, np.ndarray]:
        """One clip from a clean and from a perturbed condition with the same noise: what gain and eps are measured on.

        First latent frames [S, C, h, w]: condition, perturbation, output_clean, output_perturbed.
        """
        reference = torch.from_numpy(np.stack([s.image for s in scripts]))
        clean = self.backbone.encode(reference[:, None])
        generators = [keyed("probe", s.name, self.settings.seed) for s in scripts]
        noise = torch.stack([torch.randn(clean.shape[1:], generator=g) for g in generators]) * self.settings.probe_sigma
        x = torch.stack([torch.randn(self.backbone.latent_shape, generator=g) for g in generators])
        prompts = [s.prompts[0] for s in scripts]
        padding = self.condition.padding
        outputs = [
            self.clip(self.backbone.condition_from_latents(motion, reference, padding), prompts, x)[:, :, 0].numpy()
            for motion in (clean, clean + noise)
        ]
        return {
            "condition": clean[:, :, 0].numpy(),
            "perturbation": noise[:, :, 0].numpy(),
            "output_clean": outputs[0],
            "output_perturbed": outputs[1],
        }

    def _condition(self, handoff: Handoff, reference: Tensor) -> Tensor:
        if self.settings.handoff == "latent":
            motion = torch.from_numpy(handoff.latents)
            return self.backbone.condition_from_latents(motion, reference, self.condition.padding)
        return self.backbone.condition(torch.from_numpy(handoff.frames), reference, self.condition.padding)

    def _noise(self, scripts: Sequence[Script], clip: int) -> Tensor:
        """Each film's own noise; the seed of clip i is seed + i * stride (a fixed seed over clips accumulates artefacts)."""
        seed = self.settings.seed + clip * self.settings.seed_stride
        return torch.stack(
            [torch.randn(self.backbone.latent_shape, generator=keyed("film", s.name, seed)) for s in scripts]
        )
