"""Scorers: what a metric declares, what a scorer is, and the scoring of a folder of films by the native suite.

A metric whose needs are missing is skipped with the reason; it is never given as zero.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np

from benchmarks.film import Film, FilmFolder, Floats, Need, Probe, Truth

__all__ = ["SUITE", "SUITE_VERSION", "Film", "Metric", "Probe", "Scorer", "Truth", "native_scorers", "score_folder"]

SUITE = "native"
SUITE_VERSION = "1"


@dataclass(frozen=True)
class Metric:
    """What a number means: `direction` of better, `per` clip or film, what the film must bring, one sentence."""

    name: str
    direction: Literal["higher", "lower", "none"]
    version: str
    unit: str
    per: Literal["clip", "film"]
    needs: tuple[Need, ...]
    about: str


class Scorer(Protocol):
    """Gives every one of its metrics for a film: an array [n_clips] or a float; NaN where it is undefined."""

    @property
    def metrics(self) -> tuple[Metric, ...]: ...

    def score(self, film: Film) -> Mapping[str, Floats | float]: ...


def native_scorers() -> tuple[Scorer, ...]:
    """The scorers of the native suite, in the order of their columns."""
    # Here, because each scorer imports Metric from this module.
    from benchmarks.scorers.drift import DriftScorer
    from benchmarks.scorers.fidelity import FidelityScorer
    from benchmarks.scorers.forecast import ForecastScorer
    from benchmarks.scorers.truth import TruthScorer

    return TruthScorer(), FidelityScorer(), DriftScorer(), ForecastScorer()


def score_folder(generate_dir: Path, out_dir: Path, progress: Callable[[int, int], None]) -> None:
    """Score the films of `generate_dir` into scores.npz and scores.json in `out_dir`; `progress(films done, films)`.

    scores.npz holds one float64 array a metric, [S, n_clips] or [S] for a metric per film, NaN where it is undefined.
    scores.json describes every metric and names the skipped ones with the reason; it is written last.

    Raises:
        ValueError: the folder holds no films, or its files contradict each other.
    """
    folder = FilmFolder(generate_dir)
    scorers = native_scorers()
    skipped = {
        metric.name: why
        for scorer in scorers
        for metric in scorer.metrics
        if (why := next((why for need in metric.needs if (why := folder.missing(need))), None))
    }
    runnable = [scorer for scorer in scorers if not any(metric.name in skipped for metric in scorer.metrics)]
    values: dict[str, list[Floats | float]] = {metric.name: [] for scorer in runnable for metric in scorer.metrics}
    for index in range(len(folder.names)):
        film = folder.film(index)
        for scorer in runnable:
            scores = scorer.score(film)
            for metric in scorer.metrics:
                values[metric.name].append(scores[metric.name])
        progress(index + 1, len(folder.names))
    metrics = {metric.name: _description(metric) for scorer in scorers for metric in scorer.metrics}
    report = {
        "suite": SUITE,
        "suite_version": SUITE_VERSION,
        "metrics": metrics,
        "skipped": skipped,
        "samples": folder.names,
        "fps": folder.fps,
        "n_clips": len(folder.clips),
        "resolution": list(folder.resolution),
    }
    out_dir.mkdir(parents=True, exist_ok=True)
    arrays = {name: np.asarray(rows, dtype=np.float64) for name, rows in values.items()}
    np.savez(out_dir / "scores.npz", allow_pickle=False, **arrays)
    (out_dir / "scores.json").write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _description(metric: Metric) -> dict[str, object]:
    return {key: value for key, value in asdict(metric).items() if key != "name"}
