"""From frame to frame: how much moves, and whether a hand-off between clips can be seen."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import FrameScorer, Metric

NEAREST = 16  # steps within clips, on either side of a hand-off, that it is held against
WORST = 10.0
_LEAST = 0.1 / 255


class StepScorer(FrameScorer):
    """motion, a mean over the clip's frames."""

    metrics = (
        Metric(
            "motion", "none", "2", "0..1", "clip", (),
            "Mean absolute difference from the frame before, hand-offs included; a still film flatters every drift.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]; NaN for the film's first frame."""
        return {"motion": steps(film)}


class SeamScorer(FrameScorer):
    """seam of every clip but the first."""

    metrics = (
        Metric(
            "seam", "lower", "1", "ratio", "clip", ("handoffs",),
            "How many times the step across the hand-off into the clip is larger, or smaller, than the median step within clips.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]: at the first frame of each clip but the film's first one; NaN elsewhere."""
        return {"seam": seams(steps(film), film, _LEAST)}


@lru_cache(maxsize=1)  # other scorers ask for the film that is scored
def steps(film: Film) -> Floats:
    """[F]: mean absolute difference from the frame before on 0..1; NaN for the film's first frame."""
    found = np.full(len(film.frames), np.nan)
    for block in film.blocks():
        frames = film.frames[max(block.start - 1, 0) : block.stop].astype(np.float32)
        between = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3), dtype=np.float64) / 255
        found[block.stop - len(between) : block.stop] = between
    return found


def seams(values: Floats, film: Film, least: float) -> Floats:
    """Of values [F] that compare a frame with one before it, NaN where there is none: at the first frame of each clip but the
    first, how many times the value across the hand-off is larger or smaller than the median of the nearest within clips.

    `least` is added to both: what nobody sees is no step. 10 at most: a film that halts at its hand-offs shows them as one that
    jumps.
    """
    known, starts = np.flatnonzero(~np.isnan(values)), np.array([clip.start for clip in film.clips[1:]], dtype=np.int64)
    across = np.searchsorted(known, starts)  # where not every frame has a value, the next one spans the hand-off
    within = np.delete(known, across[across < len(known)])
    found = np.full(len(values), np.nan)
    for clip, at in zip(film.clips[1:], across, strict=True):
        if len(within) and at < len(known) and known[at] < clip.stop:
            middle = int(np.searchsorted(within, known[at]))
            usual = np.median(values[within[max(middle - NEAREST, 0) : middle + NEAREST]])
            ratio = (values[known[at]] + least) / (usual + least)
            found[clip.start] = min(max(ratio, 1 / ratio), WORST)
    return found
