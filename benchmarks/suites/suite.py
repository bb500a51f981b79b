"""Suites: metrics that are computed together, and the scoring of films by one of them into a folder.

A metric that cannot be given is skipped with the reason; it is never given as zero.
"""

import hashlib
import io
import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.artifacts import FRAME_SCORES, WORK
from benchmarks.atomic import write_whole
from benchmarks.films.film import Film, Need
from benchmarks.scorers.metric import Metric
from benchmarks.suites import FVD, SYNC
from benchmarks.suites.record import ScoredMetric, ScoreRecord, save_arrays
from benchmarks.weights import WeightFile

Progress = Callable[[int, int], None]
EVERY = slice(None)
Reasons = dict[str, str]


class Films(Protocol):
    """Films of one track that were made alike: their names, and of each its frames, its clips and its mp4."""

    names: list[str]
    fps: float
    track: str
    track_version: int
    samples_hash: str

    @property
    def resolutions(self) -> list[tuple[int, int]]: ...

    def missing(self, need: Need) -> str | None: ...

    def film(self, index: int) -> Film: ...

    def video(self, index: int) -> Path: ...

    def clip_prompts(self, index: int) -> tuple[str, ...]:
        """One a clip, where `missing("prompts")` is None."""


@dataclass
class Scores:
    """What a suite found: arrays by metric as in scores.npz, the frames' values of each film, why a metric is missing for
    a film (metric -> film -> why), what a reader of a metric must know, warnings by film, and what else belongs to the
    record."""

    values: dict[str, Floats] = field(default_factory=dict)
    frames: dict[str, list[Floats]] = field(default_factory=dict)
    skipped: dict[str, Reasons] = field(default_factory=dict)
    notes: Reasons = field(default_factory=dict)
    warnings: Reasons = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


class Suite(Protocol):
    """Metrics of one name and version. `weights`: metric -> weight file -> sha256."""

    name: str
    version: str

    @property
    def metrics(self) -> tuple[Metric, ...]: ...

    @property
    def weights(self) -> Mapping[str, Mapping[str, str]]: ...

    def missing(self, films: Films) -> Reasons:
        """Metric -> why none of the films can be scored by it."""

    def film_scorer(self, films: Films) -> "FilmScorer | None":
        """What scores one of the films in the metrics that are not missing; None: they can be scored all together alone."""

    def score(self, films: Films, work: Path, progress: Progress) -> Scores:
        """Score all films in the metrics that are not missing; `work` keeps what a second attempt need not do again."""


@dataclass
class FilmScores:
    """One film's: a number or a curve [n_clips] a metric, its frames' values [F], why a metric is missing, and a warning."""

    values: dict[str, Floats | float] = field(default_factory=dict)
    frames: dict[str, Floats] = field(default_factory=dict)
    skipped: Reasons = field(default_factory=dict)
    warning: str = ""


FilmScorer = Callable[[int], FilmScores]  # of a film, by its index; loads its models when it is first called


def unfound(files: Iterable[WeightFile]) -> str:
    """Which weights are not there, where they belong and under what licence; empty if all are there."""
    missing = [f"{file.path} (licence {file.licence})" for file in files if not file.path.is_file()]
    return f"no weights {' and '.join(missing)}; `harness doctor weights` says where to get them" if missing else ""


def film_by_film(films: Films, work: Path, progress: Progress, score: FilmScorer) -> Scores:
    """`score` of every film, each kept in `work` as soon as it is there."""
    found = [_kept(file) for file in _keep_all(films, work, progress, score, EVERY)]
    joined = Scores()
    for name in dict.fromkeys(name for one in found for name in one.values):
        joined.values[name] = _stack([one.values.get(name, np.nan) for one in found])
    for name in dict.fromkeys(name for one in found for name in one.frames):
        joined.frames[name] = [one.frames.get(name, np.empty(0)) for one in found]
    for film, one in zip(films.names, found, strict=True):
        for metric, why in one.skipped.items():
            joined.skipped.setdefault(metric, {})[film] = why
        if one.warning:
            joined.warnings[film] = one.warning
    return joined


def _keep_all(films: Films, work: Path, progress: Progress, score: FilmScorer, share: slice) -> list[Path]:
    """The files of a share of the films' scores; what is not there yet is made."""
    work.mkdir(parents=True, exist_ok=True)
    files = [work / f"{index:05}.npz" for index in range(len(films.names))]
    mine = range(len(files))[share]
    for done, index in enumerate(mine, start=1):
        if not files[index].is_file():
            _keep(files[index], score(index))
        progress(done, len(mine))
    return [files[index] for index in mine]


def score_share(films: Films, suite: Suite, out_dir: Path, share: slice, progress: Progress) -> None:
    """Score a share of the films, for a process that will call `score_films` of the same folder. Raises ValueError."""
    if len(suite.missing(films)) == len(suite.metrics):
        return
    if score := suite.film_scorer(films):
        _keep_all(films, out_dir / WORK, progress, score, share)


def score_films(films: Films, suite: Suite, out_dir: Path, progress: Progress, compared_with: str = "") -> None:
    """Score into scores.npz, frames.npz and scores.json in `out_dir`; `progress(films done, films)`.

    `compared_with` is the fingerprint of the true films or the sound that were given beside the films, if any. scores.npz and
    scores.json are a `ScoreRecord`; frames.npz holds the frames' values [S, F] that its values come from, NaN after the end of a
    film that is shorter than the longest. Films that a `score_share` has scored in this folder are not scored again.

    Raises:
        ValueError: a film cannot be read.
    """
    missing = suite.missing(films)
    found = Scores()
    if len(missing) < len(suite.metrics):
        found = suite.score(films, out_dir / WORK, progress)
    out_dir.mkdir(parents=True, exist_ok=True)
    save_arrays(out_dir / FRAME_SCORES, {name: _padded(rows) for name, rows in found.frames.items()})
    ScoreRecord(
        track=films.track,
        track_version=films.track_version,
        samples=tuple(films.names),
        samples_hash=films.samples_hash,
        fps=films.fps,
        resolution=size_label(films.resolutions),
        n_clips=len(films.film(0).clips),
        suite=suite.name,
        suite_version=suite.version,
        device=default_device(),
        metrics={metric.name: _scored(metric, suite, compared_with) for metric in suite.metrics},
        skipped=missing,
        skipped_films=found.skipped,
        notes=found.notes,
        warnings=found.warnings,
        details=found.details,
        values=found.values,
    ).write(out_dir)
    shutil.rmtree(out_dir / WORK, ignore_errors=True)


def default_device() -> str:
    """The GPU where there is one."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def size_label(sizes: Sequence[tuple[int, int]]) -> str:
    """Heights and widths in a word: 480x832, or the least and the largest of several, and a digest of them all."""
    names = [f"{height}x{width}" for height, width in sorted(set(sizes))]
    if len(names) == 1:
        return names[0]
    digest = hashlib.sha256(" ".join(names).encode()).hexdigest()[:6]
    return f"{names[0]} to {names[-1]} ({len(names)} sizes, {digest})"


def _scored(metric: Metric, suite: Suite, compared_with: str) -> ScoredMetric:
    compares = suite.name in (FVD, SYNC) or "continuation" in metric.needs
    weights = dict(suite.weights.get(metric.name, {}))
    return ScoredMetric(**vars(metric), weights=weights, compared_with=compared_with if compares else "")


def _stack(rows: Sequence[Floats | float]) -> Floats:
    """Rows of one shape; a film without the metric is NaN throughout."""
    shape = next((np.shape(row) for row in rows if np.ndim(row)), ())
    return np.stack([np.full(shape, np.nan) if not np.ndim(row) and shape else np.asarray(row, float) for row in rows])


def _padded(rows: Sequence[Floats]) -> Floats:
    """[S, F], NaN after the end of a film."""
    padded = np.full((len(rows), max(len(row) for row in rows)), np.nan)
    for film, row in zip(padded, rows, strict=True):
        film[: len(row)] = row
    return padded


def _keep(file: Path, scores: FilmScores) -> None:
    content = io.BytesIO()
    np.savez(
        content,
        allow_pickle=False,
        said=json.dumps([scores.skipped, scores.warning]),
        **{f"values {name}": np.asarray(value, np.float64) for name, value in scores.values.items()},
        **{f"frames {name}": np.asarray(value, np.float64) for name, value in scores.frames.items()},
    )
    write_whole(file, content.getvalue())


def _kept(file: Path) -> FilmScores:
    with np.load(file, allow_pickle=False) as saved:
        parts: dict[str, dict[str, Any]] = {"values": {}, "frames": {}}
        for key in saved.files:
            part, _, name = key.partition(" ")
            if part in parts:
                parts[part][name] = saved[key]
        return FilmScores(parts["values"], parts["frames"], *json.loads(str(saved["said"])))
