"""Films, made clip by clip by a generation loop: each clip is on disk before the next one begins."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor, nn

from svi.backbones.backbone import Backbone, Condition
from svi.frames import Frames, Progress
from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Denoiser
from svi.generation.loop import Loop
from svi.generation.reel import Handoff, Reel, Script, reels
from svi.method.draws import keyed
from svi.settings import GenerateSettings


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
        settings: Any,
        loop: type[Loop] = ClipLoop,
        memory: Any = None,
    ) -> None:
        """`settings` has a section an attribute: generate, condition, and the loop's own; `memory` as the loop takes it."""
        self.backbone, self.settings, self.condition = backbone, settings.generate, settings.condition
        self.denoiser = Denoiser(backbone, models, self.settings)
        self.loop = loop(self.denoiser, settings, memory)
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
        self.encode([prompt_of(script, clip, self.settings) for script in undone for clip in range(n_clips)], folder)
        for rows, reel in parts:
            for clips in self._film([scripts[row] for row in rows], reel, n_frames):
                progress(done + clips * len(rows), len(scripts) * n_clips)
            done += n_clips * len(rows)

    def _film(self, scripts: Sequence[Script], reel: Reel, n_frames: int) -> Iterator[int]:
        """Clips that are there, again after each one."""
        n_clips = len(scripts[0].prompts)
        if not reel.done:
            films, handoff = self.films_of(scripts), reel.resume()
            past = {name: torch.from_numpy(kept) for name, kept in handoff.past.items()} if handoff else None
            for clip in range(handoff.clip if handoff else 0, n_clips):
                yield clip
                frames, past = self.loop.next(films, clip, past)
                shown, kept = self._shown(clip, n_clips, n_frames), {name: x.numpy() for name, x in past.items()}
                reel.write(frames[:, shown], clip * self._step + shown.start, Handoff(clip + 1, kept))
        reel.finish(n_clips)
        yield n_clips

    def first(self, scripts: Sequence[Script]) -> Frames:
        """The first clips of films of one size, as `films` makes them; their prompts are encoded. [S, L, H, W, 3] uint8"""
        return self.loop.next(self.films_of(scripts), 0, None)[0]

    def films_of(self, scripts: Sequence[Script]) -> "Scripted":
        """What films of one size are made from; the backbone makes clips of their size from now on."""
        height, width, _ = scripts[0].image.shape
        self.backbone.resize(height, width)
        return Scripted(scripts, self.texts, self.settings, self.backbone, self._step)

    @property
    def _step(self) -> int:
        """Frames from the start of one clip to the start of the next."""
        overlap: int = self.condition.overlap
        return self.backbone.clip_frames - overlap

    def _shown(self, clip: int, n_clips: int, n_frames: int) -> slice:
        """The frames of a clip that the film shows: the overlap of two clips once, the anchor of a later clip never."""
        begin, end = int(self.condition.anchor), self.backbone.clip_frames
        if self.settings.overlap_from == "previous":
            begin = self.condition.overlap
        elif clip < n_clips - 1:
            end = self._step + begin
        return slice(begin if clip else 0, min(end, n_frames - clip * self._step))

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

    def encode(self, prompts: Sequence[str], folder: Path | None = None) -> None:
        """These and the negative one, into a file in `folder`; none where nothing is to be made."""
        self.texts.add([*prompts, self.settings.negative_prompt] if prompts else [], folder)


class Scripted:
    """Scripts of one size as a loop sees them (protocol: svi.generation.loop.Films)."""

    def __init__(
        self, scripts: Sequence[Script], texts: Texts, settings: GenerateSettings, backbone: Backbone, step: int
    ) -> None:
        """Clips of the backbone's size; `step`: frames from the start of one to the start of the next."""
        self._scripts, self._texts, self._settings, self._step = scripts, texts, settings, step
        self._shape, self._frames = backbone.latent_shape, backbone.clip_frames
        self.images = torch.from_numpy(np.stack([script.image for script in scripts]))
        self.clips = len(scripts[0].prompts)
        self.negative = texts[[settings.negative_prompt] * len(scripts)]

    def text(self, clip: int) -> Tensor:
        """Behind the last clip: that one's."""
        return self._texts[[prompt_of(script, min(clip, self.clips - 1), self._settings) for script in self._scripts]]

    def signals(self, clip: int) -> Condition:
        """Where a film follows one, all do; whatever is before its first frame or behind its last is that one again. None is zeros,
        as training drops it."""
        courses = [script.signal for script in self._scripts if script.signal is not None]
        if not courses:
            return {}
        given = torch.stack([one.clip(clip * self._step, self._frames) for one in courses])
        return {courses[0].key: torch.zeros_like(given) if self._settings.signal == "none" else given}

    def noise(self, clip: int) -> Tensor:
        """Each film's own noise, or the seed's; that of clip i is seed + i * stride (a fixed one accumulates artefacts)."""
        seed = self._settings.seed + clip * self._settings.seed_stride
        by_seed = self._settings.noise == "seed"
        sources = [
            torch.Generator().manual_seed(seed) if by_seed else keyed("film", s.name, seed) for s in self._scripts
        ]
        return torch.stack([torch.randn(self._shape, generator=source) for source in sources])


def prompt_of(script: Script, clip: int, settings: GenerateSettings) -> str:
    """One a clip, or the first for all."""
    return script.prompts[0 if settings.prompts == "first" else clip]
