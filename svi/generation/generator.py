"""The clip loop: each clip is conditioned on the last frames of the one before, and is on disk before the next one begins."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor, nn

from svi.backbones import speed
from svi.backbones.backbone import Backbone, Condition
from svi.frames import Frames, Progress
from svi.generation.reel import Handoff, Reel, Script, groups, reels
from svi.generation.solver import solver
from svi.method.draws import keyed
from svi.method.flow import TIMESTEPS
from svi.settings import ConditionSettings, GenerateSettings


class Texts:
    """Embeddings of prompts, each encoded once, kept on disk: those of a long stream (8 MB each with Wan) would fill memory."""

    def __init__(self, backbone: Backbone) -> None:
        self._backbone = backbone
        self._index: dict[str, int] = {}
        self._file: IO[bytes] | None = None

    def add(self, prompts: Iterable[str], folder: Path | None = None) -> None:
        """Encode what is new, into an unnamed file in `folder`; then the text encoder's memory is given back."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._index]
        self._file = self._file or tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it goes with this object)
        self._file.seek(0, os.SEEK_END)
        for prompt in new:
            embedding = self._backbone.encode_text([prompt])[0].numpy()
            self._shape, self._bytes = embedding.shape, embedding.nbytes
            self._file.write(embedding.tobytes())
            self._index[prompt] = len(self._index)
        if new:
            self._backbone.free_text_encoder()

    def __getitem__(self, prompts: Sequence[str]) -> Tensor:
        """[B, tokens, channels] float32"""
        return torch.stack([self._read(prompt) for prompt in prompts])

    def _read(self, prompt: str) -> Tensor:
        assert self._file is not None
        self._file.seek(self._index[prompt] * self._bytes)
        return torch.frombuffer(bytearray(self._file.read(self._bytes)), dtype=torch.float32).reshape(self._shape)


class Generator:
    """Makes films clip by clip with one backbone and its (possibly adapted) transformers by expert."""

    def __init__(
        self,
        backbone: Backbone,
        models: Mapping[str, nn.Module],
        settings: GenerateSettings,
        condition: ConditionSettings,
    ) -> None:
        """The transformers, in the order of falling noise, are put in evaluation mode."""
        self.backbone, self.settings, self.condition = backbone, settings, condition
        self.models = {expert: model.eval() for expert, model in models.items()}
        self.texts = Texts(backbone)

    # Films

    def films(self, scripts: Sequence[Script], n_frames: int, fps: int, folder: Path, progress: Progress) -> None:
        """Write videos/<name>.mp4 of n_frames each, `settings.together` side by side; resumes at the clip where it stopped.

        With `settings.lossless` also frames.npy [S, n_frames, H, W, 3] uint8. Memory holds one clip of each film of a group,
        whatever the length; a film has its image's size, and films of one size are grouped. `progress(clips, all clips)` counts
        over all films and begins with those that are there.

        Raises ValueError for names that no file can have, a length that so many clips do not have, and a size that the backbone
        cannot make or frames.npy cannot hold.
        """
        n_clips, done = len(scripts[0].prompts), 0
        self._check(scripts, n_frames)
        parts = reels(folder, scripts, n_frames, fps, self.settings.together, self.settings.lossless)
        undone = [scripts[row] for rows, reel in parts if not reel.done for row in rows]
        self.encode([self._prompt(script, clip) for script in undone for clip in range(n_clips)], folder)
        for rows, reel in parts:
            for clips in self._film([scripts[row] for row in rows], reel, n_frames):
                progress(done + clips * len(rows), len(scripts) * n_clips)
            done += n_clips * len(rows)

    def _film(self, scripts: Sequence[Script], reel: Reel, n_frames: int) -> Iterator[int]:
        """Clips that are there, again after each one."""
        n_clips, m = len(scripts[0].prompts), self.condition.motion_frames
        self._resize(scripts)
        handoff = None if reel.done else reel.resume() or self._start(scripts)
        while handoff is not None and handoff.clip < n_clips:
            yield handoff.clip
            clip = handoff.clip
            latents = self._next(scripts, handoff)
            frames = self._decode(latents)
            shown = self._shown(clip, n_clips, n_frames)
            handed_on = latents[:, :, -self.backbone.latent_frames(m) :]
            handoff = Handoff(clip + 1, frames[:, -m:].copy(), handed_on.numpy().copy())
            reel.write(frames[:, shown], clip * self._step + shown.start, handoff)
        reel.finish(n_clips)
        yield n_clips

    def first(self, scripts: Sequence[Script]) -> Frames:
        """The first clips of films of one size, as `films` makes them; their prompts are encoded. [S, L, H, W, 3] uint8"""
        self._resize(scripts)
        return self._decode(self._next(scripts, self._start(scripts)))

    def _decode(self, latents: Tensor) -> Frames:
        """[S, L, H, W, 3] uint8"""
        frames: Frames = self.backbone.decode(latents, truncate=self.settings.pixels == "truncate").numpy()
        return frames

    def _start(self, scripts: Sequence[Script]) -> Handoff:
        """What the first clip knows: the images."""
        return Handoff(0, np.stack([script.image for script in scripts])[:, None], np.empty(0))

    def _next(self, scripts: Sequence[Script], handoff: Handoff) -> Tensor:
        """Latents of the clip that follows."""
        return self.clip(
            self._condition(handoff, torch.from_numpy(np.stack([script.image for script in scripts]))),
            self.texts[[self._prompt(script, handoff.clip) for script in scripts]],
            self.texts[[self.settings.negative_prompt] * len(scripts)],
            self._noise(scripts, handoff.clip),
        )

    @property
    def _step(self) -> int:
        """Frames from the start of one clip to the start of the next."""
        return self.backbone.clip_frames - self.condition.overlap

    def _shown(self, clip: int, n_clips: int, n_frames: int) -> slice:
        """The frames of a clip that the film shows: the overlap of two clips once, the anchor of a later clip never."""
        begin, end = int(self.condition.anchor), self.backbone.clip_frames
        if self.settings.overlap_from == "previous":
            begin = self.condition.overlap
        elif clip < n_clips - 1:
            end = self._step + begin
        return slice(begin if clip else 0, min(end, n_frames - clip * self._step))

    def _condition(self, handoff: Handoff, reference: Tensor) -> Condition:
        """The first clip starts from the image alone, which is its anchor as well."""
        motion = torch.from_numpy(handoff.frames)
        if handoff.clip == 0:
            return self._first_condition(reference)
        latents = torch.from_numpy(handoff.latents) if self.settings.handoff == "latent" else None
        return self.backbone.condition(motion, reference, self.condition, latents)

    def _first_condition(self, reference: Tensor) -> Condition:
        """From the image alone: as the one motion frame, or as the anchor, before which nothing moved."""
        motion, settings = reference[:, None], self.condition.model_copy(update={"motion_frames": 1})
        nothing = torch.empty(len(reference), self.backbone.latent_shape[0], 0, *self.backbone.latent_shape[2:])
        return self.backbone.condition(motion, reference, settings, nothing if settings.anchor else None)

    def _noise(self, scripts: Sequence[Script], clip: int) -> Tensor:
        """Each film's own noise, or the seed's; that of clip i is seed + i * stride (a fixed one accumulates artefacts)."""
        seed = self.settings.seed + clip * self.settings.seed_stride
        by_seed = self.settings.noise == "seed"
        sources = [torch.Generator().manual_seed(seed) if by_seed else keyed("film", s.name, seed) for s in scripts]
        return torch.stack([torch.randn(self.backbone.latent_shape, generator=source) for source in sources])

    def _check(self, scripts: Sequence[Script], n_frames: int) -> None:
        clips = {len(script.prompts) for script in scripts}
        if len(clips) > 1:
            received = ", ".join(f"{s.name} of {len(s.prompts)} clips" for s in scripts)
            raise ValueError(f"films: received {received}; expected one number of clips")
        n_clips = clips.pop()
        # The first frame that the last clip alone shows must be there.
        shortest = (n_clips - 1) * self._step + self._shown(n_clips - 1, n_clips, n_frames).start + 1
        longest = n_clips * self._step + self.condition.overlap
        if not shortest <= n_frames <= longest:
            raise ValueError(
                f"frames of a film: received {n_frames}, expected {shortest} to {longest} for {n_clips} clips of "
                f"{self.backbone.clip_frames} frames that overlap by {self.condition.overlap}"
            )

    def _resize(self, scripts: Sequence[Script]) -> None:
        height, width, _ = scripts[0].image.shape
        self.backbone.resize(height, width)

    # Prompts

    def _prompt(self, script: Script, clip: int) -> str:
        return script.prompts[0 if self.settings.prompts == "first" else clip]

    def encode(self, prompts: Sequence[str], folder: Path | None = None) -> None:
        """These and the negative one, into a file in `folder`; none where nothing is to be made."""
        self.texts.add([*prompts, self.settings.negative_prompt] if prompts else [], folder)

    # One clip

    @torch.no_grad()
    def clip(self, condition: Condition, text: Tensor, negative: Tensor, x: Tensor) -> Tensor:
        """From noise x to the latents of a clip, [B, C, T, h, w]; text and negative [B, tokens, channels].

        Classifier-free guidance as diffusers has it: v = v_negative + scale (v_text - v_negative), where the scale is above 1.
        """
        scheduler = solver(self.settings)
        try:
            for timestep in scheduler.timesteps:
                v = self._velocity(float(timestep) / TIMESTEPS, x, condition, text, negative)
                x = scheduler.step(-v, timestep, x, return_dict=False)[0]
        finally:
            for model in self.models.values():
                speed.rest(model)
        return self.backbone.finish(x, condition)

    def _velocity(self, sigma: float, x: Tensor, condition: Condition, text: Tensor, negative: Tensor) -> Tensor:
        """Guided, by the expert of this noise level."""
        expert = self.backbone.expert(sigma)
        scale = self._guidance(expert)
        t = torch.full((len(x),), 1 - sigma, dtype=torch.float64)
        v = self.backbone.velocity(self.models[expert], x, t, condition, text, "cond")
        if scale <= 1:
            return v
        free = self.backbone.velocity(self.models[expert], x, t, condition, negative, "uncond")
        return free + scale * (v - free)

    def _guidance(self, expert: str) -> float:
        low = self.settings.guidance_low
        return self.settings.guidance if low is None or expert == next(iter(self.models)) else low

    # The probe

    def probe(self, scripts: Sequence[Script]) -> dict[str, np.ndarray]:
        """One clip from a clean and from a perturbed condition with the same noise: what gain and eps are measured on.

        First latent frames [S, C, h, w]: condition, perturbation, output_clean, output_perturbed. Those of several sizes lie in
        the top left corner of arrays as large as the largest, NaN elsewhere, and `sizes` [S, 2] says each one's h and w.
        """
        self.encode([script.prompts[0] for script in scripts])
        parts = [
            (rows, self._probe([scripts[row] for row in rows])) for rows in groups(scripts, self.settings.together)
        ]
        return joined(parts)

    def _probe(self, scripts: Sequence[Script]) -> dict[str, np.ndarray]:
        """Of the first clip's own condition, so that what is perturbed is what films are made from."""
        self._resize(scripts)
        condition = self._first_condition(torch.from_numpy(np.stack([s.image for s in scripts])))
        channels = self.backbone.latent_shape[0]
        clean = condition["latents"][:, -channels:, 0]
        generators = [keyed("probe", s.name, self.settings.seed) for s in scripts]
        noise = torch.stack([torch.randn(clean.shape[1:], generator=g) for g in generators]) * self.settings.probe_sigma
        x = torch.stack([torch.randn(self.backbone.latent_shape, generator=g) for g in generators])
        perturbed = {**condition, "latents": condition["latents"].clone()}
        # As an error of the frame that is handed on: where that frame is repeated, its error is too.
        reached = slice(None) if self.condition.padding == "repeat" else slice(1)
        perturbed["latents"][:, -channels:, reached] += noise[:, :, None]
        text = self.texts[[s.prompts[0] for s in scripts]]
        negative = self.texts[[self.settings.negative_prompt] * len(scripts)]
        outputs = [self.clip(given, text, negative, x)[:, :, 0].numpy() for given in (condition, perturbed)]
        return {
            "condition": clean.numpy(),
            "perturbation": noise.numpy(),
            "output_clean": outputs[0],
            "output_perturbed": outputs[1],
        }


def joined(parts: Sequence[tuple[Sequence[int], Mapping[str, np.ndarray]]]) -> dict[str, np.ndarray]:
    """Arrays [S, C, h, w] from those of groups and their rows; of several sizes: padded with NaN, and with `sizes` [S, 2]."""
    sizes = np.empty((sum(len(rows) for rows, _ in parts), 2), np.int64)
    for rows, part in parts:
        sizes[list(rows)] = next(iter(part.values())).shape[2:]
    whole = {}
    for name, first in parts[0][1].items():
        whole[name] = np.full((len(sizes), first.shape[1], *sizes.max(axis=0)), np.nan, first.dtype)
        for rows, part in parts:
            _, _, height, width = part[name].shape
            whole[name][list(rows), :, :height, :width] = part[name]
    return {**whole, "sizes": sizes} if len(np.unique(sizes, axis=0)) > 1 else whole
