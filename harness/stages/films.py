"""The stages that make the films of a track, and what their first clips foretell."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.artifacts import CONTINUATION, FRAMES, PROBE, TRUTH
from benchmarks.films.film import Film, FilmFolder, Probes
from benchmarks.films.info import FilmInfo, FilmSample
from benchmarks.samples import starts_hash
from benchmarks.scorers.forecast import gain_and_eps, strength
from benchmarks.scorers.placed import PlacedScorer
from benchmarks.scorers.truth import TruthScorer
from benchmarks.track import clip_slices
from harness.core.artifacts import FIRST_CLIPS, GAIN_AND_EPS, STRENGTH
from harness.core.errors import UseError
from harness.core.job import Job
from harness.declare.request import MADE
from harness.results.misses import FORETOLD
from harness.stages.cost import FilmCost, join_costs
from harness.stages.fuller import fuller, take_films
from harness.stages.loading import backbone_of, generator_of, one_each
from harness.stages.reading import Reading
from harness.stages.scripts import Scripts, followed, scripts_of, write_true_films
from reports.statistics.foretold import FADED, ROLLED_CLIPS, ROLLED_FILMS
from svi.artifacts import VIDEOS
from svi.conditions.scenes import scenes_of
from svi.data.worlds import WORLDS
from svi.generation.generator import Generator
from svi.generation.probe import probe
from svi.generation.reel import WORK, Script
from svi.generation.trivial import write_films
from svi.lora.stack import Lora
from svi.settings import COPY_IMAGE, RECODE
from svi.training import ranks


def forecast(job: Job) -> None:
    """Forecast: gain, and eps where it is defined, of every film's first clip, before the films; and the probes they come from."""
    read = Reading(job.settings)
    scripts = scripts_of(job, read).films
    if more := fuller(job, read):
        for name in (PROBE, GAIN_AND_EPS):
            with np.load(more / name) as found:
                _save(job.folder / name, {key: values[: len(scripts)] for key, values in found.items()})
        return
    _save(job.folder / PROBE, probe(generator_of(job, read, _trained(job)), scripts))
    probes = Probes(job.folder / PROBE, len(scripts))
    measured = [gain_and_eps(probes[i]) for i in range(len(scripts))]
    _save(job.folder / GAIN_AND_EPS, dict(zip(("gain", "eps"), np.array(measured).T, strict=True)))


def rollout(job: Job) -> None:
    """Rollout: the scores of the first clips of some films, and how strong objects are after a clip that begins with faded ones."""
    read = Reading(job.settings)
    scripts, maker = scripts_of(job, read), generator_of(job, read, _trained(job))
    work = job.folder / WORK
    shutil.rmtree(work, ignore_errors=True)  # of an interrupted one
    work.mkdir()
    begun = _begun(job, read, maker, scripts.first(ROLLED_FILMS, ROLLED_CLIPS, read), work / "begun")
    scored = [_first_scores(begun.film(index)) for index in range(len(begun.names))]
    faded = _begun(job, read, maker, scripts.first(len(scripts.films), 1, read), work / "faded", FADED)
    strong = [strength(faded.film(index)).mean() for index in range(len(faded.names))]
    shutil.rmtree(work)
    curves = {name: np.stack([one[name] for one in scored]) for name in scored[0]}
    _save(job.folder / FIRST_CLIPS, {**curves, STRENGTH: np.array(strong)})


def _begun(
    job: Job, read: Reading, maker: Generator, scripts: Scripts, folder: Path, left: float | None = None
) -> FilmFolder:
    """Short films in a folder of their own; `left`: the share of their objects that their start images show."""
    folder.mkdir()
    _describe(replace(job, folder=folder), read, scripts)
    films = scripts.films
    if left is not None:
        with np.load(folder / TRUTH) as truth:
            empty = truth["background"].astype(np.float64)
        images = [np.rint(b + left * (film.image - b)).astype(np.uint8) for film, b in zip(films, empty, strict=True)]
        films = [replace(film, image=image) for film, image in zip(films, images, strict=True)]
    fps = read.generate.film_fps(read.data)
    maker.films(films, scripts.length.n_frames, fps, folder, job.counting("clip"))
    return FilmFolder(folder)


def _first_scores(film: Film) -> dict[str, np.ndarray]:
    """The metrics that a rollout foretells, [k] each."""
    told = {**PlacedScorer().score(film), **TruthScorer().score(film)}
    return {name: np.asarray(told[name]) for name in FORETOLD}


def generate(job: Job) -> None:
    """Generate: all films of one track, clip by clip, with their truth where the world is known; processes deal them out."""
    read = Reading(job.settings)
    scripts = scripts_of(job, read)
    length = scripts.length
    clip_frames, overlap = read.data.clip_frames, read.condition.overlap
    if more := fuller(job, read):
        if job.first_rank:
            take_films(more, len(scripts.films), job.folder)
    elif read.generate.method == MADE:
        _make(job, read, scripts)
    else:
        clips = clip_slices(length.n_frames, length.n_clips, clip_frames, overlap)
        _repeat(job, read, followed(scripts.films, job.folder), clips)
    if job.first_rank:
        _describe(job, read, scripts)


def _make(job: Job, read: Reading, scripts: Scripts) -> None:
    """This process's share of the films, and by the first one in the end what others left: nothing, unless one was ended."""
    ranks.take_card()
    maker, fps = generator_of(job, read, _trained(job)), read.generate.film_fps(read.data)
    seconds = len(scripts.films) * scripts.length.n_frames / fps
    cost = FilmCost.of(maker.denoiser, job.folder, seconds, job.counting("clip"), job.rank if job.ranks > 1 else None)
    asked = (scripts.length.n_frames, fps, job.folder)
    with TemporaryDirectory() as own:  # what films follow is kept by the first process alone; the others hear a copy
        films = followed(scripts.films, job.folder if job.first_rank else Path(own))
        maker.films(films, *asked, cost, job.share)
    if job.first_rank and job.ranks > 1:
        job.others()
        maker.films(films, *asked, job.counting("clip"))
        join_costs(job.folder, len(films) * scripts.length.n_clips)


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
    made = read.generate.method == MADE
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
        overlap_from=read.generate.overlap_from if made else "next",
        anchor=int(read.condition.anchor and made),
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


def _repeat(job: Job, read: Reading, scripts: Sequence[Script], clips: Sequence[slice]) -> None:
    """The trivial baselines' films; a copied image needs no model, a recoded one the codec alone."""
    maker = None
    if read.generate.method == RECODE:
        maker = Generator(backbone_of(job, read, experts=()), {}, read)
    elif read.generate.method != COPY_IMAGE:
        maker = generator_of(job, read, _trained(job))
    write_films(
        scripts, clips, read.generate.film_fps(read.data), job.folder, read.generate, maker, job.counting("clip")
    )


def _trained(job: Job) -> Sequence[Sequence[Lora]]:
    """The trainings that films are made with; none for the base model."""
    return one_each(job.inputs.get("train", ()))


def _save(file: Path, arrays: Mapping[str, Any]) -> None:
    np.savez_compressed(file, allow_pickle=False, **arrays)
