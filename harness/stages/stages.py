"""What each stage does: the one place where svi, benchmarks and reports meet. Every function fills `job.folder`."""

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.core.errors import UseError
from harness.core.job import Job
from harness.declare.settings import Settings
from harness.results.forecast import FORECAST
from svi.backbones.catalogue import EXPERT

SHOWN_CLIPS, SHOWN_TIMES = (0, 1), (0.1, 0.5, 0.9)  # whose errors are shown
TRAINED = "trained"  # its file says that nothing is left to do but to tidy up
PROBE = "probe.npz"


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
        raise AttributeError(
            f"this stage did not declare that it reads the settings {section!r} (harness/plan/pipeline.py)"
        )


def _section(name: str) -> Any:
    return Settings.model_fields[name].annotation


def backbone(job: Job) -> None:
    """PrepareBackbone: fit the codec, train the base model from scratch; keeps the moving average of its weights."""
    import torch

    from svi.backbones.tiny import Codec, TinyBackbone
    from svi.data.cache import LatentCache
    from svi.data.cache_writer import write_cache
    from svi.settings import ConditionSettings, DataSettings, TrainSettings
    from svi.training import loop as train
    from svi.training.objective import FlowMatching

    read = Reading(job.settings)
    footage, tiny = _open_footage(read), read.tiny
    codec = Codec.fit(torch.from_numpy(_some_frames(footage)), tiny.codec_patch, tiny.latent_channels)
    base = TinyBackbone.create(codec, tiny, read.data)
    condition = ConditionSettings(motion_frames=1, padding="repeat")
    with tempfile.TemporaryDirectory(dir=job.folder) as clips:
        write_cache(base, footage, condition, DataSettings(), Path(clips), lambda done, total: None)
        objective = FlowMatching(base, LatentCache.open(Path(clips)), tiny.shift, tiny.seed)
        settings = TrainSettings(
            steps=tiny.steps, batch=tiny.batch, lr=tiny.lr, schedule="cosine", adapter="full", seed=tiny.seed
        )
        base.transformers[EXPERT] = train.train(
            base.transformers[EXPERT],
            objective,
            settings,
            job.folder,
            lambda done, total: job.progress(done, total, "step"),
            ema=tiny.ema,
        )
    base.save(job.folder)


def _some_frames(footage: Any) -> Any:
    """Those of about a thousand clips, for the codec. [N, H, W, 3] uint8"""
    from svi.data.footage import Unreadable

    found = []
    for i in range(0, len(footage), max(1, len(footage) // 1000)):
        with suppress(Unreadable):  # the latent cache lists it
            found.append(footage.read(i).frames)
    return np.concatenate(found)


def data(job: Job) -> None:
    """PrepareData: encode every training clip once; keeps the first frames of held-back clips and the files it skipped."""
    from svi.data.cache_writer import write_cache

    read = Reading(job.settings)
    footage = _open_footage(read)
    held = footage.held_back()  # first, so that files torn there are listed too
    summary = write_cache(
        _backbone(job, read, ()),
        footage,
        read.condition,
        read.data,
        job.folder,
        lambda done, total: job.progress(done, total, "clip"),
    )
    (job.folder / "footage.json").write_text(json.dumps(summary, indent=2))
    if held:
        np.savez(
            job.folder / "held_back.npz",
            images=np.stack([still.image for still in held]),
            prompts=np.array([still.prompt for still in held]),
        )


def train(job: Job) -> None:
    """Train: error-recycling fine-tuning of a LoRA, or of every parameter."""
    from svi.training.error_recycling import bank_folder

    read = Reading(job.settings)
    if not (job.folder / TRAINED).is_file():
        _train(job, read)
    # Only a resume needs these, and at 480p the bank has 105 GB.
    shutil.rmtree(job.folder / "checkpoints", ignore_errors=True)
    for bank in bank_folder(read.bank, job.folder).glob("bank-*.bin"):
        bank.unlink(missing_ok=True)


def _train(job: Job, read: Reading) -> None:
    import torch.distributed as dist

    from svi.backbones import speed
    from svi.data.cache import LatentCache
    from svi.lora import adapter as lora
    from svi.training import ranks
    from svi.training.error_recycling import ErrorRecycling
    from svi.training.loop import train as run

    ranks.join()  # which also chooses this rank's card
    expert = job.settings.get("expert", EXPERT)
    base = _backbone(job, read, (expert,))
    model = lora.adapted(base, read.train, expert)
    if job.first_rank:
        lora.save_config(model, job.folder / "checkpoints")
    speed.kernels(model, read.speed, speed.default_device())
    cache = LatentCache.open(job.inputs["data"])
    settings = read.train
    if settings.epochs is not None:
        settings = settings.model_copy(update={"steps": -(-settings.epochs * len(cache) // settings.batch)})
    with ErrorRecycling(
        base, cache, read.flow, read.injection, read.bank, read.condition, settings.seed, job.folder, expert
    ) as objective:
        trained = run(model, objective, settings, job.folder, lambda done, total: job.progress(done, total, "step"))
        lora.save(trained, job.folder, write=job.first_rank)
        if job.first_rank:
            objective.keep(job.folder)
            (job.folder / TRAINED).touch()
        dist.barrier()  # no rank tidies up before that


def errors(job: Job) -> None:
    """Errors: a step's from clean clips before and after training, and those kept of the bank, injected; decoded."""
    import torch

    from svi.artifacts import ERRORS
    from svi.data.cache import LatentCache
    from svi.training.error_sheets import injected_sheet, own_errors, own_sheet

    read, cache = Reading(job.settings), LatentCache.open(job.inputs["data"])
    cases = [(clip, t) for clip in SHOWN_CLIPS for t in SHOWN_TIMES if clip < len(cache)]
    found = []
    for trained in ((), job.inputs["train"]):  # loaded again: a LoRA changes what it is attached to
        base = _backbone(job, read)
        found.append(own_errors(base, _models(base, trained, read), cache, cases))
    sheets = {"own": own_sheet(base, cache, cases, *found)}
    with np.load(job.inputs["train"][0] / ERRORS) as kept:
        if len(kept["t"]):  # none where all errors were made by hand
            vid = torch.from_numpy(kept["vid"]).float()
            sheets["injected"] = injected_sheet(base, cache, read.injection, vid, kept["t"].tolist())
    for name, sheet in sheets.items():
        _save(job.folder / f"{name}.npz", {key: np.array(value) for key, value in vars(sheet).items()})


def forecast(job: Job) -> None:
    """Forecast: gain and eps of every film's first clip, before the films are made; and the probes they come from."""
    from benchmarks.films.film import Probes
    from benchmarks.scorers.forecast import gain_and_eps
    from harness.stages.starts import begin

    read = Reading(job.settings)
    scripts = begin(job, read).scripts
    _save(job.folder / PROBE, _maker(job, read).probe(scripts))
    probes = Probes(job.folder / PROBE, len(scripts))
    measured = [gain_and_eps(probes[i]) for i in range(len(scripts))]
    _save(job.folder / FORECAST, dict(zip(("gain", "eps"), np.array(measured).T, strict=True)))


def generate(job: Job) -> None:
    """Generate: all films of one track, clip by clip, with their truth where the world is known."""
    from benchmarks.track import clip_slices
    from harness.stages.starts import begin, write_true_films

    read = Reading(job.settings)
    track, length, scripts, stories, digest = begin(job, read)
    data, overlap = read.data, read.condition.overlap
    if read.generate.method == "model":
        _maker(job, read).films(
            scripts, length.n_frames, data.fps, job.folder, lambda done, total: job.progress(done, total, "clip")
        )
    else:
        _repeated(job, read, scripts, clip_slices(length.n_frames, length.n_clips, data.clip_frames, overlap))
    if stories:
        write_true_films(job.folder, stories, scripts, length.n_frames, data.clip_frames - overlap)
    about = {
        "track": track.name,
        "track_version": track.version,
        "method": read.generate.method,
        "samples_hash": digest,
        "fps": data.fps,
        "clip_frames": data.clip_frames,
        "overlap": overlap,
        "n_clips": length.n_clips,
        "n_frames": length.n_frames,
        "samples": [
            {
                "name": s.name,
                "prompts": list(s.prompts),
                "video": f"videos/{s.name}.mp4",
                "size": list(s.image.shape[:2]),
            }
            for s in scripts
        ],
    }
    (job.folder / "film.json").write_text(json.dumps(about, indent=1))


def _maker(job: Job, read: Reading) -> Any:
    """The clip loop, with what was trained where anything was."""
    from svi.generation.generator import Generator

    base = _backbone(job, read)
    return Generator(base, _models(base, job.inputs.get("train", ()), read), read.generate, read.condition)


def _repeated(job: Job, read: Reading, scripts: Sequence[Any], clips: Sequence[slice]) -> None:
    """The trivial baselines' films; a copied image needs no model."""
    from svi.generation.trivial import write_films

    maker = None if read.generate.method == "copy_image" else _maker(job, read)
    write_films(
        scripts,
        clips,
        read.data.fps,
        job.folder,
        read.generate,
        maker,
        lambda done, total: job.progress(done, total, "clip"),
    )


def film(job: Job) -> None:
    """One film from one image, with LoRA files from anywhere."""
    from PIL import Image

    from svi.data.open_video import fit_frames
    from svi.generation.generator import Generator
    from svi.generation.reel import Script

    read = Reading(job.settings)
    try:
        image = np.asarray(Image.open(job.settings["image"]).convert("RGB"))[None]
    except OSError as error:
        raise UseError(f"{job.settings['image']}: not a readable image ({error})") from error
    script = Script("film", fit_frames(image, read.data.height, read.data.width)[0], tuple(job.settings["prompts"]))
    base = _backbone(job, read)
    models = _models(base, [Path(path) for path in job.settings["loras"]], read)
    Generator(base, models, read.generate, read.condition).films(
        [script],
        job.settings["frames"],
        read.data.fps,
        job.folder,
        lambda done, total: job.progress(done, total, "clip"),
    )


def _models(base: Any, loras: Sequence[Path], read: Reading) -> Mapping[str, Any]:
    """The transformers that films are made with: as they are, or with what was trained; as `speed` has them run."""
    from svi.backbones import speed
    from svi.lora import adapter as lora

    trained = dict(zip(base.transformers, loras, strict=False))
    share = read.generate.alpha
    models = {
        e: lora.load(base, trained[e], e, share) if e in trained else base.transformers[e] for e in base.transformers
    }
    return speed.prepare(models, read.speed)


def score(job: Job) -> None:
    """Score: one suite's metrics of generated films."""
    from benchmarks.films.film import FilmFolder

    probe = job.inputs["forecast"] / PROBE if "forecast" in job.inputs else None
    _score(job, FilmFolder(job.inputs["generate"], _reference(job), probe))


def video_scores(job: Job) -> None:
    """Score, of videos that any method made."""
    from benchmarks.films.videos import VideoFolder
    from benchmarks.track import get_track
    from harness.plan.scoring import contents

    settings, track = job.settings, get_track(job.settings["track"])
    films = VideoFolder(Path(settings["videos"]), track, settings["samples"], _reference(job))
    _score(job, films)
    _require_same(job, settings["videos"], "videos.fingerprint", lambda cache: contents(films, cache))


def _score(job: Job, films: Any) -> None:
    from benchmarks.suites.suite import score_films
    from harness.core.signature import fingerprint
    from harness.plan.scoring import suite_of

    settings = job.settings
    compared_with = str(settings.get("reference.fingerprint") or settings.get("audio.fingerprint") or "")
    score_films(
        films, suite_of(settings), job.folder, lambda done, total: job.progress(done, total, "film"), compared_with
    )
    for key in ("reference", "audio"):
        if key in settings:
            _require_same(job, settings[key], f"{key}.fingerprint", partial(fingerprint, Path(settings[key])))


def _require_same(job: Job, place: str, key: str, digest: Callable[[Path], str]) -> None:
    """Refuse scores of files that were replaced while they were read: their signature would name the others."""
    with tempfile.TemporaryDirectory() as fresh:
        if digest(Path(fresh, "cache.json")) != job.settings[key]:
            raise UseError(f"{place} changed while it was scored; let it be, and run the same command again")


def _reference(job: Job) -> Any:
    """The true films, where the stage was given a folder of them."""
    from benchmarks.films.reference import ReferenceFolder

    return ReferenceFolder(Path(job.settings["reference"])) if "reference" in job.settings else None


def report(job: Job) -> None:
    """Report: tables, figures and the page."""
    from harness.results.frame import film_link, report_info, results_frame
    from reports.write import write_report

    write_report(results_frame(job), report_info(job), job.folder, film_link(job))


def _save(file: Path, arrays: Mapping[str, Any]) -> None:
    savez: Any = np.savez_compressed  # its stub takes no mapping of arrays
    savez(file, **arrays)


def _open_footage(read: Reading) -> Any:
    from svi.data.footage import open_footage

    try:
        return open_footage(read.data)
    except ValueError as error:
        raise UseError(str(error)) from error


def _backbone(job: Job, read: Reading, experts: tuple[str, ...] | None = None) -> Any:
    """The backbone with the transformers of these experts, None: all; encoding needs none, and no boundary between them."""
    if "backbone" in job.inputs:
        from svi.backbones.tiny import TinyBackbone

        return TinyBackbone.load(job.inputs["backbone"], read.tiny, read.data)
    from svi.backbones.wan import WanBackbone

    settings = read.backbone if experts != () else read.backbone.model_copy(update={"boundary": None})
    return WanBackbone.load(Path(settings.weights), settings, read.data, experts=experts)
