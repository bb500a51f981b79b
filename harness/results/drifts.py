"""Drift under its owners' names: from the frames' values in Score artifacts to a long frame, which a report's tables read."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.artifacts import FRAME_SCORES
from benchmarks.drift.course import NO_MEAN, Course
from benchmarks.drift.definitions import NUMBERS, SEGMENT_SECONDS, framepack15, segments, svi_length
from benchmarks.drift.helios import OURS, rating, weighted
from benchmarks.suites.record import ALL_FILMS, ScoreRecord

if TYPE_CHECKING:
    import pandas as pd

KEYS = ("variant", "track", "seed")
HELIOS, RATING = "helios4", "helios4 rating"


def drifts_of(scored: Iterable[tuple[tuple[str, str, int], Path]]) -> "pd.DataFrame":
    """Columns variant, track, seed, sample, metric, definition, at and value, of Score artifacts by (variant, track, seed).

    A row for each film, metric and definition; `at` is where a segment starts in seconds, or of how many frames an `svi_length`
    is. `helios4` and its rating have HeliosBench's names of metrics; a rating, and the `weighted` sum of them, is of all films of
    a variant together.
    """
    import pandas as pd

    rows = [(*keys, *row) for keys, folder in scored if (folder / FRAME_SCORES).is_file() for row in _of_folder(folder)]
    frame = pd.DataFrame(rows, columns=[*KEYS, "sample", "metric", "definition", "at", "value"])
    frame = frame.dropna(subset="value")
    ratings = _ratings(frame)
    return pd.concat([frame, ratings], ignore_index=True) if len(ratings) else frame


def _of_folder(folder: Path) -> Iterator[tuple[str, str, str, float, float]]:
    """(sample, metric, definition, at, value) of one artifact."""
    record = ScoreRecord.read(folder)
    with np.load(folder / FRAME_SCORES, allow_pickle=False) as kept:
        values: dict[str, Floats] = {name: array for name, array in kept.items() if name not in NO_MEAN}
    lengths = _lengths(values, len(record.samples))
    for length in sorted(set(lengths.tolist()) - {0}):
        films = np.flatnonzero(lengths == length)
        for metric, array in values.items():
            course = Course(metric, array[films, :length], record.fps)
            for named, definition, at, found in _of_course(course):
                for film, value in zip(films, found, strict=True):
                    yield record.samples[film], named, definition, at, float(value)


def _lengths(values: dict[str, Floats], films: int) -> "np.typing.NDArray[np.int64]":
    """[S]: how many frames each film has, by the last one that has any value; 0 of a film without values."""
    lengths = np.zeros(films, dtype=np.int64)
    for array in values.values():
        defined = ~np.isnan(array)
        last = np.where(defined.any(axis=1), defined.shape[1] - defined[:, ::-1].argmax(axis=1), 0)
        lengths = np.maximum(lengths, last)
    return lengths


def _of_course(course: Course) -> Iterator[tuple[str, str, float, Floats]]:
    """(metric, definition, at, values [S])."""
    name = course.metric
    for definition, numbers in NUMBERS.items():
        yield name, definition, 0, numbers(course)
    for length, scores in svi_length(course).items():
        yield name, svi_length.__name__, length, scores
    for place, scores in enumerate(segments(course).T):
        yield name, segments.__name__, place * SEGMENT_SECONDS, scores
    if name in OURS:
        yield OURS[name], HELIOS, 0, course.score(0, course.frames)
        yield f"drifting_{OURS[name]}", HELIOS, 0, framepack15(course)


def _ratings(frame: "pd.DataFrame") -> "pd.DataFrame":
    """HeliosBench rates the mean over videos: a rating a variant and metric, whatever its seeds, and their weighted sum."""
    import pandas as pd

    rows: list[tuple[str, str, int, str, str, str, float, float]] = []
    found = frame[frame["definition"] == HELIOS]
    for (variant, track), films in found.groupby(["variant", "track"], sort=False):
        means = films.groupby("metric", sort=False)["value"].mean()
        ratings = {str(metric): rating(str(metric), mean) for metric, mean in means.items()}
        for metric, value in {**ratings, "weighted": weighted(ratings)}.items():
            rows.append((str(variant), str(track), 0, ALL_FILMS, metric, RATING, 0.0, float(value)))
    return pd.DataFrame(rows, columns=frame.columns)
