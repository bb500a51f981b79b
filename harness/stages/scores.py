"""The stages that score films: those a variant made, or videos that any method made."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.artifacts import PROBE
from benchmarks.films.film import FilmFolder
from benchmarks.films.reference import ReferenceFolder
from benchmarks.films.videos import VideoFolder
from benchmarks.suites.suite import score_films, score_share
from harness.core.errors import UseError
from harness.core.job import Job
from harness.core.signature import fingerprint
from harness.declare.tracks import track_in
from harness.plan.scoring import contents, suite_of


def score(job: Job) -> None:
    """Score: one suite's metrics of generated films."""
    probe = job.inputs["forecast"] / PROBE if "forecast" in job.inputs else None
    _score(job, FilmFolder(job.inputs["generate"], _reference(job), probe))


def video_scores(job: Job) -> None:
    """Score, of videos that any method made."""
    settings, track = job.settings, track_in(job.settings)
    films = VideoFolder(Path(settings["videos"]), track, settings["samples"], _reference(job))
    _score(job, films)
    if job.first_rank:
        _require_same(job, settings["videos"], "videos.fingerprint", lambda cache: contents(films, cache))


def _score(job: Job, films: FilmFolder | VideoFolder) -> None:
    """By the first process, of several beside what the others have scored."""
    settings = job.settings
    if job.ranks > 1:
        from svi.training.ranks import take_card  # loads torch, which not every suite needs

        take_card()
    suite = suite_of(settings)
    if job.ranks > 1:
        score_share(films, suite, job.folder, job.share, job.counting("film"))
        if not job.first_rank:
            return
        job.others()
    compared_with = str(settings.get("reference.fingerprint") or settings.get("audio.fingerprint") or "")
    score_films(films, suite, job.folder, job.counting("film"), compared_with)
    for key in ("reference", "audio"):
        if key in settings:
            _require_same(job, settings[key], f"{key}.fingerprint", partial(fingerprint, Path(settings[key])))


def _require_same(job: Job, path: str, key: str, digest: Callable[[Path], str]) -> None:
    """Refuse scores of files that were replaced while they were read: their signature would name the others."""
    with tempfile.TemporaryDirectory() as fresh:
        if digest(Path(fresh, "cache.json")) != job.settings[key]:
            raise UseError(f"{path} changed while it was scored; let it be, and run the same command again")


def _reference(job: Job) -> ReferenceFolder | None:
    """The true films, where the stage was given a folder of them."""
    return ReferenceFolder(Path(job.settings["reference"])) if "reference" in job.settings else None
