"""What a report must know of an experiment beside its scores: declaration, films, settings, costs, provenance."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.artifacts import CONTINUATION, FRAMES, TRUTH
from benchmarks.films.info import FilmInfo
from harness.core.job import Job
from harness.core.provenance import facts
from harness.core.signature import unhashed
from harness.core.store import SIGNATURE_DIGITS, read_manifest
from harness.core.text import duration
from harness.declare.profiles import CAPTION, PROFILES
from harness.declare.request import MADE
from harness.declare.settings import Settings
from harness.declare.spec import TRIVIAL
from harness.plan.kinds import BACKBONE, FORECAST, GENERATE, REPORT, SCORE
from harness.results.drifts import drifts_of
from harness.results.made_of import made_of, meanings
from harness.results.misses import misses
from harness.results.reports import REPORTS
from harness.results.spent import spent
from harness.results.trainings import trained
from reports.statistics.foretold import Misses
from reports.statistics.info import ReportInfo

if TYPE_CHECKING:
    from reports.page.films import Link

COPIES, *_ = TRIVIAL  # repeats the start image
SEEDS = ("train.seed", "generate.seed")  # a variant has films of each of its experiment's


def film_link(job: Job) -> "Link":
    """Films where the store has them, from a finished report's folder and from reports/NAME, which points to it."""
    from reports.page.films import relative_links

    artifacts = job.inputs["generate"][0].resolve().parents[1]
    return relative_links(artifacts / REPORT.name / "any", artifacts.parent / REPORTS / "any")


def report_info(job: Job) -> ReportInfo:
    """The declaration, the films of the first seed, costs and provenance."""
    settings = job.settings
    videos: dict[str, dict[str, list[str]]] = {}
    frames: dict[str, dict[str, str]] = {}
    truth: dict[str, str] = {}
    missed: dict[str, dict[str, Misses]] = {}
    films = [FilmInfo.read(folder) for folder in job.inputs["generate"]]
    for (variant, seed, track), folder, film in zip(settings["rows"], job.inputs["generate"], films, strict=True):
        if seed == settings["seeds"][0]:
            videos.setdefault(track, {})[variant] = [str((folder / s.video).resolve()) for s in film.samples]
            missed.setdefault(track, {})[variant] = _misses(folder, film.n_clips)
            lossless = (folder / FRAMES).resolve()
            if variant == settings["baseline"] and (folder / CONTINUATION).is_file():
                truth[track] = str((folder / CONTINUATION).resolve())
            frames.setdefault(track, {})[variant] = str(lossless) if lossless.is_file() else videos[track][variant][0]
    shown = zip(settings.get("errors", ()), job.inputs.get("errors", ()), strict=True)
    errors = {variant: str(folder.resolve()) for (variant, seed), folder in shown if seed == settings["seeds"][0]}
    backbone, caption = backbone_of(job)
    return ReportInfo(
        experiment=settings["experiment"],
        question=settings["question"],
        profile=settings["profile"],
        backbone=backbone,
        baseline=settings["baseline"],
        variants=settings["variants"],
        tracks=settings["tracks"],
        seeds=settings["seeds"],
        compare_to=(settings["compare_to"],) if settings["compare_to"] else (),
        caption=caption,
        provenance={**made_of(job), **facts()},
        reproduce=settings["command"],
        videos=videos,
        frames=frames,
        costs=costs([job]),
        forecast_share=forecast_share([job]),
        fps=films[0].fps,
        clip_seconds=films[0].clip_seconds,
        trivial=tuple(
            name
            for name, sets in settings["variants"].items()
            if sets.get("generate.method", MADE) != MADE and name != settings["baseline"]  # with --only copy_image
        ),
        trainings=trainings(job),
        misses=missed,
        looks=settings.get("looks", 1),
        objects=max(map(_objects, job.inputs["generate"])),
        errors=errors,
        settings=_settings(job),
        yes_if=tuple(settings["yes_if"]) if settings.get("yes_if") else None,
        truth=truth,
        still=next((name for name, sets in settings["variants"].items() if sets == COPIES.set), None),
        orderings=settings.get("orderings"),
        spent=spent(job),
        meanings=meanings(),
        drifts=drifts_of(_scored(job)),
    )


def _misses(films: Path, clips: int) -> Misses:
    base = read_manifest(films)["upstream"].get(BACKBONE.name)
    return misses(clips, base, [read_manifest(training)["identity"] for training in trained(films)])


def _scored(job: Job) -> Iterator[tuple[tuple[str, str, int], Path]]:
    for (variant, seed, track), folder in zip(job.settings["scored"], job.inputs["score"], strict=True):
        yield (variant, track, seed), folder


def _objects(films: Path) -> int:
    """Of the known world; of one object where it is not known, or was written before there were several."""
    if not (films / TRUTH).is_file():
        return 1
    with np.load(films / TRUTH) as truth:
        return int(truth["places"].shape[2]) if "places" in truth else 1


def trainings(job: Job) -> dict[str, dict[int, str]]:
    """Variant -> seed -> a name of what was trained for it, of all experts together."""
    found: dict[str, dict[int, str]] = {}
    for (variant, seed, _), folder in zip(job.settings["rows"], job.inputs["generate"], strict=True):
        if made_with := trained(folder):
            found.setdefault(variant, {})[seed] = " ".join(one.name for one in made_with)
    return found


def backbone_of(job: Job) -> tuple[str, str]:
    """What the films come from, and what they may claim: as the profile says, unless another backbone was named.

    Raises UseError for a profile that is unknown here.
    """
    profile = PROFILES.get(job.settings["profile"])
    read = [read_manifest(folder)["identity"] for folder in job.inputs["generate"]]
    names = dict.fromkeys(str(one["backbone.name"]) for one in read if "backbone.name" in one)
    if set(names) <= {profile.named}:
        return profile.backbone, profile.caption
    return ", ".join(names), CAPTION


def _settings(job: Job) -> dict[str, dict[str, object]]:
    """Variant -> the values of all settings that any variant sets, as its stages read them."""
    keys = {key for sets in job.settings["variants"].values() for key in sets}
    found = settings_read(job, job.settings["tracks"])
    return {variant: {key: value for key, value in read.items() if key in keys} for variant, read in found.items()}


def settings_read(job: Job, tracks: Sequence[str]) -> dict[str, dict[str, object]]:
    """Variant -> all that the stages of its first film on one of these tracks read."""
    found: dict[str, dict[str, object]] = {}
    for (variant, _, track), folder in zip(job.settings["rows"], job.inputs["generate"], strict=True):
        if variant not in found and track in tracks:
            read = dict(_read_by(folder))
            sections = {key.partition(".")[0] for key in read}
            # No manifest names those that enter no signature.
            usual = {key: value for key, value in unhashed(Settings()).items() if key.partition(".")[0] in sections}
            found[variant] = {**usual, **read}
    return found


def _read_by(folder: Path) -> Iterator[tuple[str, object]]:
    """The settings that an artifact depends on: those of its own stage and of all before it."""
    manifest = read_manifest(folder)
    yield from manifest["identity"].items()
    for given in manifest["upstream"].values():
        for signature in given if isinstance(given, list) else [given]:
            for before in folder.parents[1].glob(f"*/{signature[:SIGNATURE_DIGITS]}"):
                yield from _read_by(before)


def costs(jobs: Sequence[Job]) -> dict[str, str]:
    """How long each kind of stage took, and all of them together."""
    spent = _seconds(jobs)
    return {kind: duration(seconds) for kind, seconds in (*spent.items(), ("together", sum(spent.values())))}


def forecast_share(jobs: Sequence[Job]) -> float:
    """What the forecasts took, as a share of making and scoring the films; 0 without films."""
    spent = _seconds(jobs)
    films = spent.get(GENERATE.name, 0.0) + spent.get(SCORE.name, 0.0)
    return spent.get(FORECAST.name, 0.0) / films if films else 0.0


def _seconds(jobs: Iterable[Job]) -> dict[str, float]:
    """By kind of stage, each artifact counted once."""
    inputs = [given for job in jobs for given in job.inputs.values()]
    folders = {folder for given in inputs for folder in (given if isinstance(given, list) else [given])}
    spent: dict[str, float] = {}
    for folder in sorted(folders):
        manifest = read_manifest(folder)
        spent[manifest["kind"]] = spent.get(manifest["kind"], 0.0) + manifest["seconds"]
    return spent
