"""VBench's six quality dimensions by our own streaming code, and what they find on the way; an mp4 is decoded once."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.video_file import VideoFile
from benchmarks.scorers.metric import Metric
from benchmarks.suites import VBENCH, VERSIONS
from benchmarks.suites.derived import METRICS, PROMPT_MATCH, SOURCES, derived
from benchmarks.suites.record import PREFIX, WINDOW
from benchmarks.suites.suite import Films, FilmScorer, FilmScores, Progress, Reasons, Scores, film_by_film, unfound
from benchmarks.vbench.background import BackgroundConsistency
from benchmarks.vbench.dimension import Dimension, DimensionScore, VideoInfo
from benchmarks.vbench.dimensions import DIMENSIONS, load
from benchmarks.vbench.files import FILES, PROMPT_FILES
from benchmarks.vbench.prompt_match import ClipTexts, PromptMatch
from benchmarks.vbench.stream import score_video


class VbenchSuite:
    """The dimensions of `names` whose weight files are there, on `device`."""

    name, version = VBENCH, VERSIONS[VBENCH]

    def __init__(self, names: Sequence[str], device: str) -> None:
        self._names, self._device = tuple(names), device
        dimensions = (
            Metric(one.name, "higher", one.version, "0..1", "both", (), one.about)
            for one in DIMENSIONS
            if one.name in self._names
        )
        self._files = {name: FILES[name] for name in self._names}
        self._files |= {name: FILES[source] for name, source in SOURCES.items() if source in self._names}
        self._files |= {name: PROMPT_FILES for name in self._files if name == PROMPT_MATCH}
        self.metrics = (*dimensions, *(metric for name, metric in METRICS.items() if name in self._files))

    @cached_property
    def weights(self) -> Mapping[str, Mapping[str, str]]:
        missing = self._missing
        return {
            name: {file.name: file.sha256() for file in files}
            for name, files in self._files.items()
            if name not in missing
        }

    @cached_property
    def _missing(self) -> Reasons:
        reasons = {name: unfound(files) for name, files in self._files.items()}
        return {name: why for name, why in reasons.items() if why}

    def missing(self, films: Films) -> Reasons:
        needs = {metric.name: films.missing(need) for metric in self.metrics for need in metric.needs}
        return {name: why for name, why in needs.items() if why} | self._missing

    def film_scorer(self, films: Films) -> FilmScorer:
        loaded: list[Dimension] = []
        texts: list[ClipTexts] = []
        prompted = PROMPT_MATCH not in self.missing(films)

        def of_film(index: int) -> FilmScores:
            if not loaded:  # not before a film needs them
                loaded.extend(load([name for name in self._names if name not in self._missing], self._device))
                texts.extend([ClipTexts(device=self._device)] if prompted else [])
            return _film_scores(films, index, loaded, texts)

        return of_film

    def score(self, films: Films, work: Path, progress: Progress) -> Scores:
        return film_by_film(films, work, progress, self.film_scorer(films))


def _film_scores(films: Films, index: int, dimensions: Sequence[Dimension], texts: Sequence[ClipTexts]) -> FilmScores:
    film, path = films.film(index), films.video(index)
    clips = film.clips
    scores = FilmScores(skipped=dict(_unfit(path, dimensions)))
    scores.skipped |= {name: scores.skipped[source] for name, source in SOURCES.items() if source in scores.skipped}
    fed = [one for one in dimensions if one.name not in scores.skipped]
    through = [one for one in fed if isinstance(one, BackgroundConsistency)]  # prompts are held against what it sees
    matches = [
        PromptMatch(one.tower, one.images, text.encode(films.clip_prompts(index)), clips)
        for one in through
        for text in texts
    ]
    found = score_video(path, [*fed, *matches])
    for name, score in ((one.name, found[one.name]) for one in fed):
        if len(score.frames) != clips[-1].stop:
            raise ValueError(
                f"video {path}: received {len(score.frames)} frames, expected {clips[-1].stop}; make it again"
            )
        scores.values[name] = score.value
        scores.values[name + WINDOW], scores.values[name + PREFIX] = windows(score, clips)
        scores.frames[name] = score.frames
    for name, values in derived(found, film).items():
        if not any(map(films.missing, METRICS[name].needs)):
            scores.values[name] = values
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
