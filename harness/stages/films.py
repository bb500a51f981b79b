"""The stages that make films: what their first clips forecast, all films of a track, or one film."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from benchmarks.artifacts import CONTINUATION, FRAMES, PROBE
from benchmarks.films.film import Probes
from benchmarks.films.info import FilmInfo, FilmSample
from benchmarks.samples import starts_hash
from benchmarks.scorers.forecast import gain_and_eps
from benchmarks.track import clip_slices
from harness.core.artifacts import GAIN_AND_EPS, SINGLE_FILM
from harness.core.errors import UseError
from harness.core.job import Job
from harness.declare.request import MADE
from harness.stages.cost import FilmCost
from harness.stages.fuller import fuller, take_films
from harness.stages.loading import backbone_of, part_of, signal_of, transformers_of
from harness.stages.reading import Reading
from harness.stages.scripts import Scripts, scripts_of, write_true_films
from svi.artifacts import SIGNALS, VIDEOS
from svi.axes import CLIPS, NO_MEMORY
from svi.backbones.adapters import adapters_of
from svi.backbones.wrapped import bare
from svi.conditions.scenes import scenes_of
from svi.course import Course
from svi.data.open_video import fit_frames
from svi.data.picture import open_upright
from svi.data.worlds import WORLDS
from svi.generation.generator import Generator
from svi.generation.probe import probe
from svi.generation.reel import Script
from svi.generation.trivial import write_films
from svi.settings import COPY_IMAGE


def forecast(job: Job) -> None:
    """Forecast: gain, and eps where it is defined, of every film's first clip, before the films; and the probes they come from."""
    read = Reading(job.settings)
    scripts = scripts_of(job, read).films
    if more := fuller(job, read):
        for name in (PROBE, GAIN_AND_EPS):
            with np.load(more / name) as found:
                _save(job.folder / name, {key: values[: len(scripts)] for key, values in found.items()})
        return
    _save(job.folder / PROBE, probe(_generator(job, read, _trained(job)), scripts))
    probes = Probes(job.folder / PROBE, len(scripts))
    measured = [gain_and_eps(probes[i]) for i in range(len(scripts))]
    _save(job.folder / GAIN_AND_EPS, dict(zip(("gain", "eps"), np.array(measured).T, strict=True)))


def generate(job: Job) -> None:
    """Generate: all films of one track, clip by clip, with their truth where the world is known."""
    read = Reading(job.settings)
    scripts = scripts_of(job, read)
    length, fps = scripts.length, read.generate.film_fps(read.data)
    clip_frames, overlap = read.data.clip_frames, read.condition.overlap
    if more := fuller(job, read):
        take_films(more, len(scripts.films), job.folder)
    elif read.generate.method == MADE:
        maker, seconds = _generator(job, read, _trained(job)), len(scripts.films) * length.n_frames / fps
        cost = FilmCost.of(maker.denoiser, job.folder, seconds, job.counting("clip"))
        maker.films(_followed(scripts.films, job.folder), length.n_frames, fps, job.folder, cost)
    else:
        clips = clip_slices(length.n_frames, length.n_clips, clip_frames, overlap)
        _repeat(job, read, _followed(scripts.films, job.folder), clips)
    _describe(job, read, scripts)


def true_films(job: Job) -> None:
    """The true films of the embedded world, as if a model had made them. Raises UseError for another world."""
    read = Reading(job.settings)
    scripts = scripts_of(job, read)
    if not scripts.stories:
        raise UseError("received films that start from images, expected those of the embedded world: only it is known")
    _describe(job, read, scripts)
    (job.folder / FRAMES).hardlink_to(job.folder / CONTINUATION)


def _describe(job: Job, read: Reading, scripts: Scripts) -> None:
    """What is known of the films' world where it is, and film.json."""
    length, fps = scripts.length, read.generate.film_fps(read.data)
    clip_frames, overlap = read.data.clip_frames, read.condition.overlap
    if scripts.stories:
        moved, step = scenes_of(read.condition.signal), clip_frames - overlap
        write_true_films(
            job.folder, scripts.stories, scripts.films, length.n_frames, step, WORLDS[read.data.world], moved, fps
        )
    FilmInfo(
        track=scripts.track.name,
        track_version=scripts.track.version,
        method=read.generate.method,
        samples_hash=scripts.samples_hash,
        fps=fps,
        clip_frames=clip_frames,
        overlap=overlap,
        overlap_from=read.generate.overlap_from if read.generate.method == MADE else "next",
        n_clips=length.n_clips,
        n_frames=length.n_frames,
        samples=tuple(
            FilmSample(
                film.name,
                film.prompts,
                f"{VIDEOS}/{film.name}.mp4",
                (film.image.shape[0], film.image.shape[1]),
                starts_hash([(film.name, film.image, film.prompts)]),
            )
            for film in scripts.films
        ),
    ).write(job.folder)


def _followed(films: Sequence[Script], folder: Path) -> list[Script]:
    """The same; what each follows lies beside them, and a film has its sound."""
    if all(script.signal is None for script in films):
        return list(films)
    (folder / SIGNALS).mkdir(exist_ok=True)
    found = []
    for script in films:
        kept = None if script.signal is None else script.signal.keep(folder / SIGNALS / script.name)
        found.append(replace(script, sound=kept) if kept and kept.suffix == ".wav" else script)
    return found


def _repeat(job: Job, read: Reading, scripts: Sequence[Script], clips: Sequence[slice]) -> None:
    """The trivial baselines' films; a copied image needs no model."""
    maker = None if read.generate.method == COPY_IMAGE else _generator(job, read, _trained(job))
    write_films(
        scripts, clips, read.generate.film_fps(read.data), job.folder, read.generate, maker, job.counting("clip")
    )


def film(job: Job) -> None:
    """One film from one image, with LoRA files from anywhere."""
    read = Reading(job.settings)
    try:
        image = np.asarray(open_upright(Path(job.settings["image"])))[None]
    except ValueError as error:
        raise UseError(str(error)) from error
    start, prompts = fit_frames(image, read.data.height, read.data.width)[0], tuple(job.settings["prompts"])
    maker = _generator(job, read, [Path(path) for path in job.settings["loras"]])
    scripts = [Script(SINGLE_FILM, start, prompts, _course(job, read))]
    if scripts[0].signal is not None:
        _check_followed(job, read, maker.denoiser.models.values())
        scripts = _followed(scripts, job.folder)
    maker.films(scripts, job.settings["frames"], read.generate.film_fps(read.data), job.folder, job.counting("clip"))


def _course(job: Job, read: Reading) -> Course | None:
    """What a single film follows. Raises UseError for a file that it cannot."""
    signal = signal_of(job, read)
    if signal is None:
        return None
    data = read.data.model_copy(update={"fps": read.generate.film_fps(read.data)})
    try:
        return signal.course(Path(job.settings["signal"]), job.settings["frames"], data)
    except ValueError as error:
        raise UseError(f"condition.signal={signal.key}: {error}") from error


def _check_followed(job: Job, read: Reading, models: Iterable[nn.Module]) -> None:
    """Raises UseError where a film would follow nothing: a Wan adds zeros for a signal whose weights it was not given. What one's
    own class attaches is its own matter."""
    given = "backbone" in job.inputs or read.condition.weights is not None or "condition.signal.source" in job.settings
    if given or read.generate.signal == "none":
        return
    if not all(adapter.filled for model in models for adapter in adapters_of(bare(model))):
        raise UseError(
            f"condition.signal={read.condition.signal}: nothing would follow it, since what it adds to the model is untrained; "
            "give condition.weights=FILE, or a --lora that has it beside the LoRA"
        )


def _generator(job: Job, read: Reading, trained: Sequence[Path]) -> Generator:
    """The generation loop, with what was trained where anything was."""
    base = backbone_of(job, read)
    loop = part_of(job, "generation", CLIPS)
    kind = part_of(job, "memory", NO_MEMORY)
    memory = None if kind is None else getattr(kind, "of", kind)(read)
    return Generator(base, transformers_of(job, read, base, trained), read, loop, memory)


def _trained(job: Job) -> Sequence[Path]:
    """The folders of the trainings that films are made with; none for the base model."""
    trained: Sequence[Path] = job.inputs.get("train", ())
    return trained


def _save(file: Path, arrays: Mapping[str, Any]) -> None:
    np.savez_compressed(file, allow_pickle=False, **arrays)
