"""What the films of a track start from: images and prompts, and for the embedded world the truth."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from benchmarks.artifacts import CONTINUATION, TRUTH
from benchmarks.samples import content_hash, load_samples, starts_hash
from benchmarks.track import FilmLength, Track, clips_per_prompt, film_length, prompts_for
from harness.core.artifacts import HELD_BACK
from harness.core.errors import UseError
from harness.core.job import Job
from harness.declare.tracks import track_in
from harness.stages.loading import signal_of
from harness.stages.reading import Reading
from svi.artifacts import SIGNALS
from svi.conditions.scenes import scenes_of
from svi.course import Course
from svi.data import world as shapes
from svi.data.footage import Scenes
from svi.data.open_video import fit_frames
from svi.data.worlds import WORLDS, World
from svi.frames import Frames
from svi.generation.reel import Script
from svi.settings import COPY_IMAGE

Start = tuple[str, Frames, tuple[str, ...]]  # name, image [H, W, 3], prompts
Story = list[Any]  # the scenes of one film, a prompt each
STEPS = 8  # places a pixel at which the truth knows an object


class Scripts(NamedTuple):
    """Of all films of a track: how long they are, what each is made from, its scenes where the world is known, and the
    hash of all images and prompts."""

    track: Track
    length: FilmLength
    films: list[Script]
    stories: list[Story]
    samples_hash: str

    def first(self, films: int, clips: int, read: Reading) -> "Scripts":
        """Of so many of the films, where there are as many, their first clips, of which all frames are shown that the whole films
        show."""
        length, overlap = self.length, read.condition.overlap
        if clips < length.n_clips:
            # With the next clip, and shown by the last one.
            shared = overlap if read.generate.overlap_from == "previous" else int(read.condition.anchor)
            length = FilmLength(clips, clips * (read.data.clip_frames - overlap) + shared)
        short = [replace(film, prompts=film.prompts[: length.n_clips]) for film in self.films[:films]]
        return self._replace(length=length, films=short, stories=self.stories[:films])


def scripts_of(job: Job, read: Reading) -> Scripts:
    """What the settings of a Generate or Forecast stage say. Raises UseError for samples that changed meanwhile."""
    track = track_in(job.settings)
    timing = (read.generate.film_fps(read.data), read.data.clip_frames, read.condition.overlap)
    length, lasting = film_length(track, *timing, read.generate.length), clips_per_prompt(*timing)
    starts, stories = _starts(job, read, track, -(-length.n_clips // lasting))
    courses = _courses(job, read, track, starts, stories, length.n_frames)
    films = [
        Script(name, image, prompts_for(track, prompts, length.n_clips, lasting), course)
        for (name, image, prompts), course in zip(starts, courses, strict=True)
    ]
    digest = job.settings["eval.samples"] if read.eval.path is not None else starts_hash(starts)
    return Scripts(track, length, films, stories, digest)


def _starts(job: Job, read: Reading, track: Track, n_prompts: int) -> tuple[list[Start], list[Story]]:
    """What every film starts from; for the embedded world also the scene of every prompt."""
    height, width, count = read.data.height, read.data.width, read.generate.samples
    if read.eval.path is not None:
        return _from_samples(job, read, read.eval.path, track), []
    if job.settings["eval.samples"] == "held back":
        with np.load(job.inputs["data"] / HELD_BACK) as held:
            pairs = list(zip(held["images"], held["prompts"].tolist(), strict=True))[:count]
        return [(f"held-back-{i:02d}", image, (prompt,)) for i, (image, prompt) in enumerate(pairs)], []
    rng, moved = np.random.default_rng(read.eval.seed), scenes_of(read.condition.signal)
    world = WORLDS[read.data.world]
    stories = [
        world.storyline(world.draw_scene(rng, height, width), n_prompts if track.kind == "creative" else 1, rng)
        for _ in range(count)
    ]
    if moved is not None:
        return [
            (name, next(moved.play(story[0], name, 1, read.data.fps)), (moved.prompt(story[0]),))
            for name, story in zip(_names(count), stories, strict=True)
        ], stories
    return [
        (name, world.render(story[:1])[0], tuple(scene.prompt for scene in story))
        for name, story in zip(_names(count), stories, strict=True)
    ], stories


def _names(scenes: int) -> list[str]:
    return [f"scene-{i:02d}" for i in range(scenes)]


def _courses(
    job: Job, read: Reading, track: Track, starts: Sequence[Start], stories: Sequence[Story], n_frames: int
) -> list[Course | None]:
    """What each film follows: its own signal, or another's; a copied image none. Raises UseError for a sample without one."""
    signal = signal_of(job, read)
    if signal is None or read.generate.method == COPY_IMAGE:
        return [None] * len(starts)
    fps, other = read.generate.film_fps(read.data), read.generate.signal == "another"
    moved, found = scenes_of(signal.key) if stories else None, list[Course]()
    try:
        if moved is not None:
            for (name, *_), story in zip(starts, stories, strict=True):
                found.append(moved.course(story[0], f"another than {name}" if other else name, n_frames, fps))
            return list(found)
        if other and len(starts) < 2:
            raise ValueError("generate.signal=another takes that of another sample, and there is one; add samples")
        samples = load_samples(str(read.eval.path), track)[0][: len(starts)]
        for row, (_, image, _) in enumerate(starts):  # whose it is does not depend on how many there are
            sample = samples[(row - 1 if row else 1) if other else row]
            size = {"fps": fps, "height": image.shape[0], "width": image.shape[1]}
            found.append(signal.course(sample.image.parent, n_frames, read.data.model_copy(update=size)))
    except ValueError as error:
        raise UseError(f"condition.signal={signal.key}: {error}") from error
    return list(found)


def _from_samples(job: Job, read: Reading, path: str, track: Track) -> list[Start]:
    """The samples that were planned. Raises UseError if they changed since."""
    samples = load_samples(path, track)[0][: read.generate.samples]
    if content_hash(samples) != job.settings["eval.samples"]:
        raise UseError(f"eval.path={path}: the samples changed since the command began; run it again")
    starts = []
    for sample in samples:
        size = (read.data.height, read.data.width)
        if read.eval.size == "sample":
            size = sample.size(track, job.settings["eval.multiple"])
        with Image.open(sample.image) as image:
            frame = np.asarray(image.convert("RGB"))[None]
        starts.append((sample.name, fit_frames(frame, *size)[0], sample.prompts))
    return starts


def write_true_films(
    folder: Path,
    stories: Sequence[Story],
    films: Sequence[Script],
    n_frames: int,
    step: int,
    world: World = shapes,
    moved: Scenes | None = None,
    fps: int = 0,
) -> None:
    """Write what is known of the embedded world's films; clip i gives frames i * step onwards.

    truth.npz has every scene without its objects, what they look like, and where they should be in every frame;
    continuation.npy [S, n_frames, H, W, 3] the true films, frame by frame into an array on disk. `moved`: what these scenes
    follow, each film its own, at `fps`.
    """
    if moved is None:
        scenes = [_scenes(story, script, n_frames, step) for story, script in zip(stories, films, strict=True)]
        truths, plays = [world.truth(one, STEPS) for one in scenes], [world.play(one) for one in scenes]
    else:
        own = [(story[0], script.name, n_frames, fps) for story, script in zip(stories, films, strict=True)]
        truths, plays = [dict(moved.truth(*one)) for one in own], [moved.play(*one) for one in own]
    stacked = {name: np.stack([truth[name] for truth in truths]) for name in truths[0]}
    np.savez_compressed(folder / TRUTH, allow_pickle=False, **stacked)
    shape = (len(films), n_frames, *films[0].image.shape)
    true_films = np.lib.format.open_memmap(folder / CONTINUATION, mode="w+", dtype=np.uint8, shape=shape)
    for true_film, play in zip(true_films, plays, strict=True):
        for frame, image in zip(true_film, play, strict=True):
            frame[:] = image


def _scenes(story: Story, script: Script, n_frames: int, step: int) -> Story:
    """Of every frame."""
    by_prompt = {scene.prompt: scene for scene in story}
    last = len(script.prompts) - 1
    return [by_prompt[script.prompts[min(f // step, last)]] for f in range(n_frames)]


def followed(films: Sequence[Script], folder: Path) -> list[Script]:
    """The same; what each follows lies beside them, and a film has its sound."""
    if all(script.signal is None for script in films):
        return list(films)
    (folder / SIGNALS).mkdir(exist_ok=True)
    found = []
    for script in films:
        kept = None if script.signal is None else script.signal.keep(folder / SIGNALS / script.name)
        found.append(replace(script, sound=kept) if kept and kept.suffix == ".wav" else script)
    return found
