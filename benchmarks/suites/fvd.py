"""Fréchet video distance of all films together from the true ones; and of their k-th clips from the true k-th clips."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.reference import ReferenceFolder
from benchmarks.fvd.clips import clip_features
from benchmarks.fvd.distance import FeatureSet, Fvd, fvd
from benchmarks.fvd.extractor import Extractor
from benchmarks.fvd.files import found_file
from benchmarks.fvd.windows import clip_starts
from benchmarks.scorers.metric import Metric
from benchmarks.suites import FVD, VERSIONS
from benchmarks.suites.record import WINDOW
from benchmarks.suites.suite import Films, FilmScorer, FilmScores, Progress, Reasons, Scores, film_by_film

_FEWEST = 2  # films whose k-th clips have a covariance


class FvdSuite:
    """One window of 16 frames at the start of each clip, against the same windows of `<reference>/<name>.mp4`."""

    name, version = FVD, VERSIONS[FVD]
    metrics = (
        Metric(
            "fvd", "lower", "1", "distance", "set", (),
            "Fréchet distance of I3D's logits from those of the true films; biased upwards below 256 videos.",
        ),
    )  # fmt: skip

    def __init__(self, reference: str, device: str) -> None:
        self._reference, self._device = Path(reference), device

    @cached_property
    def weights(self) -> Mapping[str, Mapping[str, str]]:
        try:
            file = found_file()
        except ValueError:
            return {}
        return {"fvd": {file.name: file.sha256()}}

    def missing(self, films: Films) -> Reasons:
        try:
            found_file()
            clip_starts(films.film(0).clips)
        except ValueError as error:
            return {"fvd": str(error)}
        return {}

    @cached_property
    def _extractor(self) -> Extractor:
        return Extractor.load(found_file(), device=self._device)

    def film_scorer(self, films: Films) -> FilmScorer:
        """Both sets' features of a film."""
        reference = ReferenceFolder(self._reference)
        shapes = {name: films.film(index).frames.shape for index, name in enumerate(films.names)}
        reference.check(shapes, films.fps)

        def of_film(index: int) -> FilmScores:
            starts = clip_starts(films.film(index).clips)
            true = reference.video(films.names[index])
            return FilmScores(
                {
                    "generated": _features(films.video(index), starts, self._extractor),
                    "reference": _features(true, starts, self._extractor),
                }
            )

        return of_film

    def score(self, films: Films, work: Path, progress: Progress) -> Scores:
        """The features are kept film by film; the details say what the distance depends on, the note its caveats."""
        found = film_by_film(films, work, progress, self.film_scorer(films)).values

        def features(name: str, clips: slice) -> FeatureSet:
            rows = found[name][:, clips].reshape(-1, found[name].shape[-1])
            return self._extractor.feature_set(rows[~np.isnan(rows).any(axis=1)], 1, max(films.resolutions))

        def distance(clips: slice) -> Fvd:
            return fvd(features("generated", clips), features("reference", clips))

        whole, n_clips = distance(slice(None)), found["generated"].shape[1]
        values = {"fvd": np.array([whole.value])}
        if len(films.names) >= _FEWEST:
            curve = [_or_nan(found["generated"], clip, distance) for clip in range(n_clips)]
            values["fvd" + WINDOW] = np.array([curve])
        # Clips of one film are alike, so that it is films which must be many.
        count = len(films.names)
        note = replace(whole, n_generated=count, n_reference=count).note().replace("clips", "films")
        return Scores(values, notes={"fvd": note} if note else {}, details={**asdict(whole), "films": count})


def _or_nan(features: Floats, clip: int, distance: Callable[[slice], Fvd]) -> float:
    """The k-th clips' distance; NaN where fewer than two of them are long enough."""
    known = int((~np.isnan(features[:, clip]).any(axis=-1)).sum())
    return distance(slice(clip, clip + 1)).value if known >= _FEWEST else float("nan")


def _features(video: Path, starts: tuple[int | None, ...], extractor: Extractor) -> Floats:
    """[n_clips, 400], NaN for a clip that is too short."""
    known = [start for start in starts if start is not None]
    features = clip_features(video, known, extractor)
    rows = np.full((len(starts), features.shape[1]), np.nan)
    rows[[clip for clip, start in enumerate(starts) if start is not None]] = features
    return rows
