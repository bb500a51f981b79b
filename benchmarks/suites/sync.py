"""Sync-C and Sync-D: do lips and sound agree? For films of speech at 25 fps."""

import warnings
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.scorers.metric import Metric
from benchmarks.suites import SYNC, VERSIONS
from benchmarks.suites.record import PREFIX, WINDOW
from benchmarks.suites.suite import Films, FilmScorer, FilmScores, Progress, Reasons, Scores, film_by_film, unfound
from benchmarks.sync.files import SYNC_FILES
from benchmarks.sync.score import SyncModels, SyncScore, score_sync

_SHOWN = 3


class SyncSuite:
    """SyncNet's scores with the sound of `<audio>/<name>.wav`, or the films' own where `audio` is None."""

    name, version = SYNC, VERSIONS[SYNC]
    metrics = (
        Metric(
            "sync_c", "higher", "1", "confidence", "both", (),
            "How far the best offset of lips and sound stands out (SyncNet's confidence), mean over face tracks.",
        ),
        Metric(
            "sync_d", "lower", "1", "distance", "film", (),
            "Distance of lips and sound in SyncNet's features at their best offset, mean over face tracks.",
        ),
        Metric("sync_offset", "none", "1", "frames", "film", (), "By how many frames the sound is ahead of the lips."),
        Metric(
            "face_found", "higher", "1", "share", "film", (),
            "1 for a film with a face that can be followed, else 0: those without one have no Sync-C and Sync-D.",
        ),
    )  # fmt: skip

    def __init__(self, audio: str | None, device: str) -> None:
        self._audio, self._device = audio, device

    @cached_property
    def weights(self) -> Mapping[str, Mapping[str, str]]:
        if self._missing:
            return {}
        hashes = {file.name: file.sha256() for file in SYNC_FILES}
        return {metric.name: hashes for metric in self.metrics}

    @cached_property
    def _missing(self) -> str:
        return unfound(SYNC_FILES)

    def missing(self, films: Films) -> Reasons:
        return {metric.name: self._missing for metric in self.metrics if self._missing}

    def film_scorer(self, films: Films) -> FilmScorer:
        models: list[SyncModels] = []

        def of_film(index: int) -> FilmScores:
            if not models:  # not before a film needs them
                models.append(SyncModels.load(self._device))
            name = films.names[index]
            audio = None if self._audio is None else Path(self._audio, f"{name}.wav")
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always")
                    found = score_sync(films.video(index), audio, models[0])
            except ValueError as error:  # no sound, or too little: the film counts as one without a score
                return FilmScores(skipped={metric.name: str(error) for metric in self.metrics})
            return _film_scores(found, films.film(index).clips, "; ".join(str(one.message) for one in caught))

        return of_film

    def score(self, films: Films, work: Path, progress: Progress) -> Scores:
        scores = film_by_film(films, work, progress, self.film_scorer(films))
        if scores.warnings:
            names = ", ".join(list(scores.warnings)[:_SHOWN]) + (", ..." if len(scores.warnings) > _SHOWN else "")
            many = f"{len(scores.warnings)} films go on after their sound has ended"
            scores.notes = {"sync_c": f"{many}, and that part is not scored ({names})"}
        return scores


def _film_scores(found: SyncScore, clips: tuple[slice, ...], warning: str) -> FilmScores:
    if found.reason:
        names = ("sync_c", "sync_d", "sync_offset")
        return FilmScores(
            {"face_found": float(found.faces > 0)}, skipped=dict.fromkeys(names, found.reason), warning=warning
        )
    curve = found.confidences
    values: dict[str, Floats | float] = {
        "sync_c": found.sync_c,
        "sync_c" + WINDOW: np.array([_mean(curve[clip]) for clip in clips]),
        "sync_c" + PREFIX: np.array([_mean(curve[: clip.stop]) for clip in clips]),
        "sync_d": found.sync_d,
        "sync_offset": found.offset,
        "face_found": 1.0,
    }
    return FilmScores(values, {"sync_c": curve}, warning=warning)


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
