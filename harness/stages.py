"""What each stage does: the one place where svi, benchmarks and reports meet. Every function fills `job.folder`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import UseError
from harness.settings import Settings
from harness.worker import Job


class Reading:
    """The settings a stage declared to read, section by section; anything else is an AttributeError."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        """From dotted settings."""
        sections: dict[str, dict[str, Any]] = {}
        for key, value in values.items():
            section, _, field = key.partition(".")
            if section in Settings.model_fields and field in _section(section).model_fields:
                sections.setdefault(section, {})[field] = value
        for section, fields in sections.items():
            model = _section(section).model_construct(**fields)
            for missing in set(_section(section).model_fields) - set(fields):
                del model.__dict__[missing]
            setattr(self, section, model)

    def __getattr__(self, section: str) -> Any:
        raise AttributeError(f"this stage did not declare that it reads the settings {section!r} (harness/pipeline.py)")


def _section(name: str) -> Any:
    return Settings.model_fields[name].annotation


def backbone(job: Job) -> None:
    """PrepareBackbone: fit the codec, train the base model from scratch; keeps the moving average of its weights."""
    import torch

    from svi import train
    from svi.data import ClipCache
    from svi.objective import FlowMatching
    from svi.settings import ConditionSettings, TrainSettings
    from svi.tiny import Codec, TinyBackbone

    read = Reading(job.settings)
    footage = _footage(read)
    sample = torch.from_numpy(np.concatenate([c.frames for c in footage.clips[:: max(1, len(footage.clips) // 1000)]]))
    codec = Codec.fit(sample, read.backbone.codec_patch, read.backbone.latent_channels)
    base = TinyBackbone.create(codec, read.backbone, read.data)
    condition = ConditionSettings(motion_frames=1, padding="repeat")
    cache = ClipCache.encode(base, footage.clips, condition, lambda done, total: None)
    b = read.backbone
    settings = TrainSettings(steps=b.steps, batch=b.batch, lr=b.lr, schedule="cosine", adapter="full", seed=b.seed)
    objective = FlowMatching(base, cache, b.shift, b.seed)
    base.transformer = train.train(
        base.transformer,
        objective,
        settings,
        job.folder,
        lambda done, total: job.progress(done, total, "step"),
        ema=b.ema,
    )
    base.save(job.folder)


def data(job: Job) -> None:
    """PrepareData: encode every training clip once; keeps the first frames of held-back clips and the files it skipped."""
    from svi.data import ClipCache

    read = Reading(job.settings)
    footage = _footage(read)
    cache = ClipCache.encode(
        _backbone(job, read), footage.clips, read.condition, lambda done, total: job.progress(done, total, "clip")
    )
    cache.save(job.folder / "cache.safetensors")
    (job.folder / "footage.json").write_text(
        json.dumps({"clips": len(footage.clips), "skipped": footage.skipped}, indent=2)
    )
    if footage.held_back:
        np.savez(
            job.folder / "held_back.npz",
            images=np.stack([c.frames[0] for c in footage.held_back]),
            prompts=np.array([c.prompt for c in footage.held_back]),
        )


def train(job: Job) -> None:
    """Train: error-recycling fine-tuning of a LoRA, or of every parameter."""
    from svi import lora
    from svi.data import ClipCache
    from svi.objective import ErrorRecycling
    from svi.train import train as run

    read = Reading(job.settings)
    base = _backbone(job, read)
    model = lora.adapted(base, read.train)
    cache = ClipCache.load(job.inputs["data"] / "cache.safetensors")
    objective = ErrorRecycling(base, cache, read.flow, read.injection, read.bank, read.condition, read.train.seed)
    trained = run(model, objective, read.train, job.folder, lambda done, total: job.progress(done, total, "step"))
    if job.first_rank:
        lora.save(trained, job.folder)


def generate(job: Job) -> None:
    """Generate: all films of one track, clip by clip, with their truth where the world is known, and the probe."""
    from benchmarks.track import clips_per_prompt, film_length, get_track, prompts_for
    from svi import lora
    from svi.generate import Generator, Script
    from svi.video import write_mp4

    read = Reading(job.settings)
    track = get_track(job.settings["track"])
    timing = (read.data.fps, read.data.clip_frames, read.condition.motion_frames)
    length = film_length(track, *timing, read.generate.length)
    lasting = clips_per_prompt(*timing)
    starts, scenes = _starts(job, read, track.kind, -(-length.n_clips // lasting))
    scripts = [
        Script(name, image, prompts_for(track, prompts, length.n_clips, lasting)) for name, image, prompts in starts
    ]

    base = _backbone(job, read)
    model = lora.load(base, job.inputs["train"]) if "train" in job.inputs else base.transformer
    maker = Generator(base, model, read.generate, read.condition)
    films = maker.films(scripts, length.n_frames, job.folder, lambda done, total: job.progress(done, total, "clip"))
    _save(job.folder / "probe.npz", maker.probe(scripts))
    if scenes:
        _save(job.folder / "truth.npz", _truth(scenes))
        _write_true_films(job.folder / "continuation.npy", scenes, scripts, films.shape, timing[1] - timing[2])
    (job.folder / "videos").mkdir(exist_ok=True)
    for script, film in zip(scripts, films, strict=True):
        write_mp4(job.folder / "videos" / f"{script.name}.mp4", film, read.data.fps, *film.shape[1:3])
    about = {
        "track": track.name,
        "fps": read.data.fps,
        "clip_frames": read.data.clip_frames,
        "overlap": read.condition.motion_frames,
        "n_clips": length.n_clips,
        "samples": [{"name": s.name, "prompts": list(s.prompts), "video": f"videos/{s.name}.mp4"} for s in scripts],
    }
    (job.folder / "film.json").write_text(json.dumps(about, indent=1))


def score(job: Job) -> None:
    """Score: every metric whose needs are met, per clip."""
    from benchmarks.scorer import score_folder

    score_folder(job.inputs["generate"], job.folder, lambda done, total: job.progress(done, total, "film"))


def report(job: Job) -> None:
    """Report: tables, figures and the page."""
    from harness.results import report_info, results_frame
    from reports.write import write_report

    write_report(results_frame(job), report_info(job), job.folder)


def _save(file: Path, arrays: Mapping[str, Any]) -> None:
    savez: Any = np.savez_compressed  # its stub takes no mapping of arrays
    savez(file, **arrays)


def _footage(read: Reading) -> Any:
    from svi.data import Footage, read_footage, world_clips

    if read.data.path is None:
        return Footage(world_clips(read.data), [], [])
    try:
        return read_footage(Path(read.data.path), read.data)
    except ValueError as error:
        raise UseError(str(error)) from error


def _backbone(job: Job, read: Reading) -> Any:
    from svi.tiny import TinyBackbone

    return TinyBackbone.load(job.inputs["backbone"], read.backbone, read.data)


def _starts(
    job: Job, read: Reading, kind: str, n_prompts: int
) -> tuple[list[tuple[str, Any, tuple[str, ...]]], list[list[Any]]]:
    """(name, image, prompts) of every film; for the embedded world also the scene of every prompt."""
    from PIL import Image

    from benchmarks.samples import load_samples
    from svi import world
    from svi.data import fit_frames

    height, width, count = read.data.height, read.data.width, read.generate.samples
    if read.eval.path is not None:
        samples, _ = load_samples(Path(read.eval.path))
        pixels = [np.asarray(Image.open(s.image).convert("RGB"))[None] for s in samples[:count]]
        images = [fit_frames(image, height, width)[0] for image in pixels]
        return [(s.name, image, s.prompts) for s, image in zip(samples, images, strict=False)], []
    if job.settings["eval.samples"] == "held back":
        with np.load(job.inputs["data"] / "held_back.npz") as held:
            pairs = list(zip(held["images"], held["prompts"].tolist(), strict=True))[:count]
        return [(f"held-back-{i:02d}", image, (prompt,)) for i, (image, prompt) in enumerate(pairs)], []
    rng = np.random.default_rng(read.eval.seed)
    stories = [
        world.storyline(world.draw_scene(rng, height, width), n_prompts if kind == "creative" else 1, rng)
        for _ in range(count)
    ]
    return [
        (f"scene-{i:02d}", world.render(story[:1])[0], tuple(scene.prompt for scene in story))
        for i, story in enumerate(stories)
    ], stories


def _truth(stories: list[list[Any]]) -> dict[str, Any]:
    """What is known of every scene: the scene without its object, and with it at every place."""
    from svi import world

    grids = [world.placements(story[0]) for story in stories]
    return {
        "background": np.stack([np.round(world.background(story[0]) * 255).astype(np.uint8) for story in stories]),
        "object_renders": np.stack([renders for renders, _ in grids]),
        "object_masks": np.stack([masks for _, masks in grids]),
    }


def _write_true_films(
    file: Path, stories: list[list[Any]], scripts: list[Any], shape: tuple[int, ...], step: int
) -> None:
    """The true film of every script, frame by frame into an array on disk; clip i gives frames i * step onwards."""
    from svi import world

    films = np.lib.format.open_memmap(file, mode="w+", dtype=np.uint8, shape=shape)
    for film, story, script in zip(films, stories, scripts, strict=True):
        by_prompt = {scene.prompt: scene for scene in story}
        last = len(script.prompts) - 1
        scenes = [by_prompt[script.prompts[min(f // step, last)]] for f in range(len(film))]
        for frame, image in zip(film, world.play(scenes), strict=True):
            frame[:] = image
