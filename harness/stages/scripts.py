"""What the films of a track start from: images and prompts, and for the embedded world the truth."""

from collections.abc import Sequence
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
from harness.stages.reading import Reading
from svi.data import world
from svi.data.open_video import fit_frames
from svi.frames import Frames
from svi.generation.reel import Script

Start = tuple[str, Frames, tuple[str, ...]]  # name, image [H, W, 3], prompts
Story = list[world.Scene]  # the scenes of one film, a prompt each


class Scripts(NamedTuple):
    """Of all films of a track: how long they are, what each is made from, its scenes where the world is known, and the
    hash of all images and prompts."""

    track: Track
    length: FilmLength
    films: list[Script]
    stories: list[Story]
    samples_hash: str


def scripts_of(job: Job, read: Reading) -> Scripts:
    """What the settings of a Generate or Forecast stage say. Raises UseError for samples that changed meanwhile."""
    track = track_in(job.settings)
    timing = (read.generate.film_fps(read.data), read.data.clip_frames, read.condition.overlap)
    length, lasting = film_length(track, *timing, read.generate.length), clips_per_prompt(*timing)
    starts, stories = _starts(job, read, track, -(-length.n_clips // lasting))
    films = [
        Script(name, image, prompts_for(track, prompts, length.n_clips, lasting)) for name, image, prompts in starts
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
    rng = np.random.default_rng(read.eval.seed)
    stories = [
        world.storyline(world.draw_scene(rng, height, width), n_prompts if track.kind == "creative" else 1, rng)
        for _ in range(count)
    ]
    return [
        (f"scene-{i:02d}", world.render(story[:1])[0], tuple(scene.prompt for scene in story))
        for i, story in enumerate(stories)
    ], stories


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


def write_true_films(folder: Path, stories: Sequence[Story], films: Sequence[Script], n_frames: int, step: int) -> None:
    """Write what is known of the embedded world's films; clip i gives frames i * step onwards.

    truth.npz has every scene without its object, and with it at every position; continuation.npy [S, n_frames, H, W, 3] the
    true films, frame by frame into an array on disk.
    """
    grids = [world.placements(story[0]) for story in stories]
    truth: dict[str, list[Any]] = {
        "background": [np.round(world.background(story[0]) * 255).astype(np.uint8) for story in stories],
        "object_renders": [renders for renders, _ in grids],
        "object_masks": [masks for _, masks in grids],
    }
    stacked = {name: np.stack(rows) for name, rows in truth.items()}
    np.savez_compressed(folder / TRUTH, allow_pickle=False, **stacked)
    shape = (len(films), n_frames, *films[0].image.shape)
    true_films = np.lib.format.open_memmap(folder / CONTINUATION, mode="w+", dtype=np.uint8, shape=shape)
    for true_film, story, script in zip(true_films, stories, films, strict=True):
        by_prompt = {scene.prompt: scene for scene in story}
        last = len(script.prompts) - 1
        scenes = [by_prompt[script.prompts[min(f // step, last)]] for f in range(len(true_film))]
        for frame, image in zip(true_film, world.play(scenes), strict=True):
            frame[:] = image
