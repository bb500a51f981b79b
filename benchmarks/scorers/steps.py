"""From frame to frame: how much moves, and whether a hand-off between clips can be seen."""

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import FrameScorer, Metric

NEAREST = 16  # steps within clips, on either side of a hand-off, that it is held against
WORST = 10.0
_LEAST = 0.1 / 255  # added to every step: what nobody sees is no step


class StepScorer(FrameScorer):
    """motion, a mean over the clip's frames, and the seam before it."""

    metrics = (
        Metric(
            "motion", "none", "2", "0..1", "clip", (),
            "Mean absolute difference from the frame before, hand-offs included; a still film flatters every drift.",
        ),
        Metric(
            "seam", "lower", "1", "ratio", "clip", (),
            "How many times the step across the hand-off into the clip is larger, or smaller, than the median step within clips.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]: motion of all frames but the film's first; a seam at the first frame of each clip but the film's first one."""
        found = steps(film)
        return {"motion": found, "seam": _seams(film, found)}


@lru_cache(maxsize=1)  # other scorers ask for the film that is scored
def steps(film: Film) -> Floats:
    """[F]: mean absolute difference from the frame before on 0..1; NaN for the film's first frame."""
    found = np.full(len(film.frames), np.nan)
    for block in film.blocks():
        frames = film.frames[max(block.start - 1, 0) : block.stop].astype(np.float32)
        between = np.abs(np.diff(frames, axis=0)).mean(axis=(1, 2, 3), dtype=np.float64) / 255
        found[block.stop - len(between) : block.stop] = between
    return found


def _seams(film: Film, steps: Floats) -> Floats:
    """The ratio is taken of whichever is larger, 10 at most: a film that halts at its hand-offs shows them as one that jumps."""
    starts = np.array([clip.start for clip in film.clips])
    within = np.setdiff1d(np.arange(len(steps)), starts)
    seams = np.full(len(steps), np.nan)
    for start in starts[1:] if len(within) else []:
        at = int(np.searchsorted(within, start))
        usual = np.median(steps[within[max(at - NEAREST, 0) : at + NEAREST]])
        ratio = (steps[start] + _LEAST) / (usual + _LEAST)
        seams[start] = min(max(ratio, 1 / ratio), WORST)
    return seams
