"""VBench's six quality dimensions by our own streaming code: every film's mp4 is decoded once for all of them."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.video_file import VideoFile
from benchmarks.scorers.metric import Metric
from benchmarks.suites import VBENCH, VERSIONS
from benchmarks.suites.record import PREFIX, WINDOW
from benchmarks.suites.suite import Films, FilmScores, Progress, Reasons, Scores, film_by_film, unfound
from benchmarks.vbench.dimension import Dimension, DimensionScore, VideoInfo
from benchmarks.vbench.dimensions import DIMENSIONS, load
from benchmarks.vbench.files import FILES
from benchmarks.vbench.stream import score_video


class VbenchSuite:
    """The dimensions of `names` whose weight files are there, on `device`."""

    name, version = VBENCH, VERSIONS[VBENCH]

    def __init__(self, names: Sequence[str], device: str) -> None:
        self._names, self._device = tuple(names), device
        self.metrics = tuple(
            Metric(one.name, "higher", one.version, "0..1", "both", (), one.about)
            for one in DIMENSIONS
            if one.name in self._names
        )

    @cached_property
    def weights(self) -> Mapping[str, Mapping[str, str]]:
        missing = self._missing
        return {name: {file.name: file.sha256() for file in FILES[name]} for name in self._names if name not in missing}

    @cached_property
    def _missing(self) -> Reasons:
        reasons = {name: unfound(FILES[name]) for name in self._names}
        return {name: why for name, why in reasons.items() if why}

    def missing(self, films: Films) -> Reasons:
        return self._missing

    def score(self, films: Films, work: Path, progress: Progress) -> Scores:
        loaded: list[Dimension] = []

        def of_film(index: int) -> FilmScores:
            if not loaded:  # not before a film needs them
                loaded.extend(load([name for name in self._names if name not in self._missing], self._device))
            return _film_scores(films, index, loaded)

        return film_by_film(films, work, progress, of_film)


def _film_scores(films: Films, index: int, dimensions: Sequence[Dimension]) -> FilmScores:
    clips, path = films.film(index).clips, films.video(index)
    scores = FilmScores(skipped=dict(_unfit(path, dimensions)))
    for name, score in score_video(path, [one for one in dimensions if one.name not in scores.skipped]).items():
        if len(score.frames) != clips[-1].stop:
            raise ValueError(
                f"video {path}: received {len(score.frames)} frames, expected {clips[-1].stop}; make it again"
            )
        scores.values[name] = score.value
        scores.values[name + WINDOW], scores.values[name + PREFIX] = windows(score, clips)
        scores.frames[name] = score.frames
    return scores


def _unfit(path: Path, dimensions: Sequence[Dimension]) -> Iterator[tuple[str, str]]:
    """The dimensions that this video is too small or too short for, and why."""
    video = VideoFile.open(path)
    info = VideoInfo(path.name, video.fps, video.frames, video.height, video.width)
    for dimension in dimensions:
        try:
            dimension.begin(info)
        except ValueError as error:
            yield dimension.name, str(error)


def windows(score: DimensionScore, clips: Sequence[slice]) -> tuple[Floats, Floats]:
    """The score of every clip's frames alone, and of all frames up to its end, both [n_clips]."""
    window = np.array([score.of(clip.start, clip.stop) for clip in clips])
    prefix = np.array([score.of(0, clip.stop) for clip in clips])
    return window, prefix
