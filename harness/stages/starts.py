"""What the films of a track start from: images and prompts, and for the embedded world the truth."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.track import FilmLength, Track, clips_per_prompt, film_length, get_track, prompts_for
from harness.core.errors import UseError
from harness.core.job import Job

if TYPE_CHECKING:
    from svi.generation.reel import Script

Start = tuple[str, Any, tuple[str, ...]]  # name, image [H, W, 3] uint8, prompts
Story = list[Any]  # the scenes of one film, a prompt each


class Beginning(NamedTuple):
    """Of all films of a track: how long they are, what each is made from, its scenes where the world is known, and the
    hash of all images and prompts."""

    track: Track
    length: FilmLength
    scripts: "list[Script]"
    stories: list[Story]
    samples_hash: str


def begin(job: Job, read: Any) -> Beginning:
    """What the settings `read` of a Generate or Forecast stage say. Raises UseError for samples that changed meanwhile."""
    from benchmarks.samples import starts_hash
    from svi.generation.reel import Script

    track = get_track(job.settings["track"])
    timing = (read.data.fps, read.data.clip_frames, read.condition.overlap)
    length, lasting = film_length(track, *timing, read.generate.length), clips_per_prompt(*timing)
    starts, stories = _starts(job, read, track, -(-length.n_clips // lasting))
    scripts = [
        Script(name, image, prompts_for(track, prompts, length.n_clips, lasting)) for name, image, prompts in starts
    ]
    digest = job.settings["eval.samples"] if read.eval.path is not None else starts_hash(starts)
    return Beginning(track, length, scripts, stories, digest)


def _starts(job: Job, read: Any, track: Track, n_prompts: int) -> tuple[list[Start], list[Story]]:
    """(name, image, prompts) of every film; for the embedded world also the scene of every prompt."""
    from svi.data import world

    height, width, count = read.data.height, read.data.width, read.generate.samples
    if read.eval.path is not None:
        return _from_samples(job, read, track), []
    if job.settings["eval.samples"] == "held back":
        with np.load(job.inputs["data"] / "held_back.npz") as held:
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


def _from_samples(job: Job, read: Any, track: Track) -> list[Start]:
    """(name, image, prompts) of the samples that were planned. Raises UseError if they changed since."""
    from PIL import Image

    from benchmarks.samples import content_hash, load_samples
    from svi.data.open_video import fit_frames

    samples = load_samples(read.eval.path, track)[0][: read.generate.samples]
    if content_hash(samples) != job.settings["eval.samples"]:
        raise UseError(f"eval.path={read.eval.path}: the samples changed since the command began; run it again")
    starts = []
    for sample in samples:
        size = (read.data.height, read.data.width)
        if read.eval.size == "sample":
            size = sample.size(track, job.settings["eval.multiple"])
        with Image.open(sample.image) as image:
            frame = np.asarray(image.convert("RGB"))[None]
        starts.append((sample.name, fit_frames(frame, *size)[0], sample.prompts))
    return starts


def write_true_films(folder: Path, stories: list[Story], scripts: "Sequence[Script]", n_frames: int, step: int) -> None:
    """Write what is known of the embedded world's films; clip i gives frames i * step onwards.

    truth.npz has every scene without its object, and with it at every place; continuation.npy [S, n_frames, H, W, 3] the true
    films, frame by frame into an array on disk.
    """
    from svi.data import world

    grids = [world.placements(story[0]) for story in stories]
    truth: dict[str, list[Any]] = {
        "background": [np.round(world.background(story[0]) * 255).astype(np.uint8) for story in stories],
        "object_renders": [renders for renders, _ in grids],
        "object_masks": [masks for _, masks in grids],
    }
    np.savez_compressed(
        folder / "truth.npz", allow_pickle=False, **{name: np.stack(rows) for name, rows in truth.items()}
    )
    shape = (len(scripts), n_frames, *scripts[0].image.shape)
    films = np.lib.format.open_memmap(folder / "continuation.npy", mode="w+", dtype=np.uint8, shape=shape)
    for film, story, script in zip(films, stories, scripts, strict=True):
        by_prompt = {scene.prompt: scene for scene in story}
        last = len(script.prompts) - 1
        scenes = [by_prompt[script.prompts[min(f // step, last)]] for f in range(len(film))]
        for frame, image in zip(film, world.play(scenes), strict=True):
            frame[:] = image
