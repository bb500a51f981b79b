"""Films, made clip by clip by a generation loop: each clip is on disk before the next one begins."""

import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from svi.backbones.backbone import Backbone, Condition
from svi.frames import Frames, Progress
from svi.generation.clips import ClipLoop
from svi.generation.denoiser import Denoiser
from svi.generation.loop import Loop, State
from svi.generation.reel import Handoff, Reel, Script, reels
from svi.generation.takes import Link, Takes, names, prompt_of, seed_of
from svi.method.draws import keyed
from svi.settings import ConditionSettings, GenerateSettings


class Texts:
    """Embeddings of prompts, each encoded once, kept on disk: those of a long stream (8 MB each with Wan) would fill memory."""

    def __init__(self, backbone: Backbone, *, told: bool = False) -> None:
        """`told`: more prompts come while clips are made, so that a text encoder which can rest in between is not loaded again."""
        self._backbone = backbone
        # A backbone of one's own need not have it.
        self._free = (
            getattr(backbone, "rest_text_encoder", backbone.free_text_encoder) if told else backbone.free_text_encoder
        )
        self._index: dict[str, int] = {}
        self._file: IO[bytes] | None = None

    def add(self, prompts: Iterable[str], folder: Path | None = None) -> None:
        """Encode what is new, into an unnamed file in `folder`; then the text encoder gives its memory back, or rests."""
        new = [prompt for prompt in dict.fromkeys(prompts) if prompt not in self._index]
        self._file = self._file or tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (it goes with this object)
        self._file.seek(0, os.SEEK_END)
        for prompt in new:
            embedding = self._backbone.encode_text([prompt])[0].numpy()
            self._shape, self._bytes = embedding.shape, embedding.nbytes
            self._file.write(embedding.tobytes())
            self._index[prompt] = len(self._index)
        if new:
            self._free()

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

    def films(
        self,
        scripts: Sequence[Script],
        n_frames: int,
        fps: int,
        folder: Path,
        progress: Progress,
        share: slice = slice(None),
    ) -> None:
        """Write videos/<name>.mp4 of n_frames each, `settings.together` side by side; resumes at the clip where it stopped.

        With `settings.lossless` also frames.npy [S, n_frames, H, W, 3] uint8. Memory holds one clip of each film of a group,
        whatever the length; a film has its image's size, and films of one size are grouped. `progress(clips, all clips)` counts
        over all films and begins with those that are there. `share`: of the groups of films, those that are made now; other
        processes may make the others meanwhile, and each film is the same whoever makes it.

        Raises ValueError for names that no file can have, a length that so many clips do not have, and a size that the backbone
        cannot make or frames.npy cannot hold.
        """
        n_clips, done = self._clips(scripts), 0
        shown = parts_shown(n_clips, n_frames, self.backbone.clip_frames, self.condition, self.settings)
        parts = reels(folder, scripts, n_frames, fps, self.settings.together, self.settings.lossless)[share]
        total = sum(len(rows) for rows, _ in parts) * n_clips
        undone = [scripts[row] for rows, reel in parts if not reel.done for row in rows]
        self.encode(
            [prompt_of(script.prompts, clip, self.settings) for script in undone for clip in range(n_clips)], folder
        )
        for rows, reel in parts:
            for clips in self._film([scripts[row] for row in rows], reel, shown):
                progress(done + clips * len(rows), total)
            done += n_clips * len(rows)

    def _film(self, scripts: Sequence[Script], reel: Reel, shown: Sequence[slice]) -> Iterator[int]:
        """Clips that are there, again after each one."""
        n_clips = len(shown)
        if not reel.done:
            films, handoff = self.films_of(scripts), reel.resume()
            past = {name: torch.from_numpy(kept) for name, kept in handoff.past.items()} if handoff else None
            for clip in range(handoff.clip if handoff else 0, n_clips):
                yield clip
                frames, past = self.loop.next(films, clip, past)
                part, kept = shown[clip], {name: x.numpy() for name, x in past.items()}
                reel.write(frames[:, part], clip * self._step + part.start, Handoff(clip + 1, kept))
        reel.finish(n_clips)
        yield n_clips

    def takes(self, script: Script, links: Sequence[Link], takes: Takes) -> Iterator[str]:
        """The takes of one film, each named once it is there; what `takes` has is not made again.

        Prompts and seeds are those of `links`, the rest is the script's. With `links_of` the settings the clips are those of
        `films`. Raises ValueError for a loop that cannot go on from given frames, where the script has some.
        """
        return self.growing(script, [links], takes)

    def growing(self, script: Script, told: Iterable[Sequence[Link]], takes: Takes) -> Iterator[str]:
        """The same of a film whose links are told some at a time, so that its loop must know of none after a clip
        (svi.parts.CLIP_BY_CLIP)."""
        links, past = list[Link](), cast(State | None, None)
        for more in told:
            made, links = len(links), [*links, *more]
            wanted, films = names(links), cast(Scripted | None, None)
            script = replace(script, prompts=tuple(link.prompt for link in links))
            self.encode([link.prompt for link, name in zip(links, wanted, strict=True) if name not in takes])
            for clip, name in enumerate(wanted[made:], start=made):
                if name in takes:
                    past = None
                else:
                    films = films or self.films_of([script], [link.seed for link in links])
                    past = past or self._past(films, script, takes, wanted[:clip])
                    frames, past = self.loop.next(films, clip, past)
                    takes.keep(name, links[clip], frames[0], {key: x.numpy() for key, x in past.items()})
                yield name

    def _past(self, films: "Scripted", script: Script, takes: Takes, before: Sequence[str]) -> State | None:
        """What a clip needs that stands behind these takes; none for the first one, unless the script has frames before it."""
        if before:
            return self._handed_on(takes, before[-1])
        if script.before is None:
            return None
        if not isinstance(self.loop, ClipLoop):
            raise ValueError(
                f"frames to go on from: received some for {type(self.loop).__name__}, whose films begin with an image; expected a "
                "loop that hands on frames (svi.parts.FRAMES_ON)"
            )
        return self.loop.after(films, script.before[None])

    def _handed_on(self, takes: Takes, name: str) -> State:
        """What a take handed on; where that was another number of frames than are asked for, its last ones."""
        past, m = {key: torch.from_numpy(kept) for key, kept in takes.past(name).items()}, self.condition.motion_frames
        if isinstance(self.loop, ClipLoop) and past["frames"].shape[1] != m:
            past["frames"] = torch.from_numpy(takes.frames(name)[None, -m:].copy())
        return past

    def first(self, scripts: Sequence[Script]) -> Frames:
        """The first clips of films of one size, as `films` makes them; their prompts are encoded. [S, L, H, W, 3] uint8"""
        return self.loop.next(self.films_of(scripts), 0, None)[0]

    def still(self, images: Frames) -> Frames:
        """Clips in which nothing moves, as the codec alone makes them. [S, H, W, 3] uint8 -> [S, L, H, W, 3]"""
        self.backbone.resize(*images.shape[1:3])
        frames = torch.from_numpy(images)[:, None].repeat(1, self.backbone.clip_frames, 1, 1, 1)
        return self.denoiser.decode(self.backbone.encode(frames))

    def films_of(self, scripts: Sequence[Script], seeds: Sequence[int] = ()) -> "Scripted":
        """What films of one size are made from; the backbone makes clips of their size from now on."""
        height, width, _ = scripts[0].image.shape
        self.backbone.resize(height, width)
        return Scripted(scripts, self.texts, self.settings, self.backbone, self._step, seeds)

    @property
    def _step(self) -> int:
        """Frames from the start of one clip to the start of the next."""
        overlap: int = self.condition.overlap
        return self.backbone.clip_frames - overlap

    @staticmethod
    def _clips(scripts: Sequence[Script]) -> int:
        """Of each film."""
        clips = {len(script.prompts) for script in scripts}
        if len(clips) > 1:
            received = ", ".join(f"{s.name} of {len(s.prompts)} clips" for s in scripts)
            raise ValueError(f"films: received {received}; expected one number of clips")
        return clips.pop()

    def encode(self, prompts: Sequence[str], folder: Path | None = None) -> None:
        """These and the negative one, into a file in `folder`; none where nothing is to be made."""
        self.texts.add([*prompts, self.settings.negative_prompt] if prompts else [], folder)


class Scripted:
    """Scripts of one size as a loop sees them (protocol: svi.generation.loop.Films)."""

    def __init__(
        self,
        scripts: Sequence[Script],
        texts: Texts,
        settings: GenerateSettings,
        backbone: Backbone,
        step: int,
        seeds: Sequence[int] = (),
    ) -> None:
        """Clips of the backbone's size; `step`: frames from the start of one to the start of the next; `seeds` of the first clips,
        as far as they are not those of the settings."""
        self._seeds = seeds
        self._scripts, self._texts, self._settings, self._step = scripts, texts, settings, step
        self._shape, self._frames = backbone.latent_shape, backbone.clip_frames
        self.images = torch.from_numpy(np.stack([script.image for script in scripts]))
        self.clips = len(scripts[0].prompts)
        self.negative = texts[[settings.negative_prompt] * len(scripts)]

    def text(self, clip: int) -> Tensor:
        """Behind the last clip: that one's."""
        return self._texts[
            [prompt_of(script.prompts, min(clip, self.clips - 1), self._settings) for script in self._scripts]
        ]

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
        seed = self._seeds[clip] if clip < len(self._seeds) else seed_of(clip, self._settings)
        by_seed = self._settings.noise == "seed"
        sources = [
            torch.Generator().manual_seed(seed) if by_seed else keyed("film", s.name, seed) for s in self._scripts
        ]
        return torch.stack([torch.randn(self._shape, generator=source) for source in sources])


def parts_shown(
    n_clips: int, n_frames: int, clip_frames: int, condition: ConditionSettings, settings: GenerateSettings
) -> list[slice]:
    """The frames of each clip that a film of so many shows: the overlap of two clips once, the anchor of a later clip never.

    Raises ValueError for a length that so many clips do not have.
    """
    step = clip_frames - condition.overlap
    begin, end = int(condition.anchor), clip_frames
    if settings.overlap_from == "previous":
        begin = condition.overlap
    else:
        end = step + begin
    # The first frame that the last clip alone shows must be there.
    shortest = (n_clips - 1) * step + (begin if n_clips > 1 else 0) + 1
    longest = n_clips * step + condition.overlap
    if not shortest <= n_frames <= longest:
        raise ValueError(
            f"frames of a film: received {n_frames}, expected {shortest} to {longest} for {n_clips} clips of {clip_frames} frames "
            f"that overlap by {condition.overlap}"
        )
    last = slice(begin if n_clips > 1 else 0, n_frames - (n_clips - 1) * step)
    return [slice(begin if clip else 0, end) for clip in range(n_clips - 1)] + [last]
