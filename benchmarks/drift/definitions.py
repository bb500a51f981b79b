"""Drift as its owners define it, of films' courses. Each function bears the definition's name, and says what its owner leaves open.

All are checked against the owner's own arithmetic in tests/benchmarks/drift/.
"""

import itertools
from collections.abc import Callable

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.drift.course import Course

SHARE = 0.15
EDGE_SECONDS = 5.0
CHUNKS = 10
LENGTHS = range(800, 4801, 800)
"""Frames: SVI's figure 5 goes from 50 to 300 s at 16 fps."""
SEGMENT_SECONDS = 10.0


def framepack15(course: Course) -> Floats:
    """[S]: |M(first 15 % of frames) - M(last 15 %)|, FramePack's start-end contrast (arXiv 2504.12626, equation 7).

    The paper leaves open how 15 % is rounded: down here, one frame at least, as HeliosBench's scripts do, which took it over.
    """
    edge = max(1, int(course.frames * SHARE))
    return np.abs(course.score(0, edge) - course.score(course.frames - edge, course.frames))


def rolling5s(course: Course) -> Floats:
    """[S]: M(first 5 s) - M(last 5 s), Rolling Forcing's quality drift, there of imaging quality (thread 12 of its repository).

    The thread leaves open the sign of a gain (negative here) and VBench's scale, 0..100 there. NaN below 5 s.
    """
    edge = round(EDGE_SECONDS * course.fps)
    if not 0 < edge <= course.frames:
        return np.full(len(course.values), np.nan)
    drift: Floats = course.score(0, edge) - course.score(course.frames - edge, course.frames)
    return drift


def vde(course: Course) -> Floats:
    """[S]: sum over i = 2..10 of (10 - i + 1) |m_i - m_1| / m_1, m_i the score of the i-th of ten equal parts.

    LV-Bench's video drift error with its linear weights (BlockVid, arXiv 2511.22973; `vde.py` beside the data set). Frames that do
    not fill ten parts evenly are left out at the end. Infinite where m_1 is 0; NaN below ten frames, which the script skips.
    """
    length = course.frames // CHUNKS
    if not length:
        return np.full(len(course.values), np.nan)
    scores = np.stack([course.score(part * length, (part + 1) * length) for part in range(CHUNKS)])
    start, rest = scores[0], scores[1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(start == 0, np.inf, np.abs(rest - start) / start)
    error: Floats = (np.arange(CHUNKS - 1, 0, -1.0)[:, None] * change).sum(axis=0)
    return error


def svi_length(course: Course) -> dict[int, Floats]:
    """Frames -> [S]: the score of the first 800, 1,600, ... 4,800 frames (SVI, arXiv 2510.09212, figure 5), as far as films go.

    The figure leaves open whether it shows the film up to there or the frames there: up to there here.
    """
    return {length: course.score(0, length) for length in LENGTHS if length <= course.frames}


def segments(course: Course, seconds: float = SEGMENT_SECONDS) -> Floats:
    """[S, N]: the score of each stretch of 10 s (LongLive), or of so many seconds; a last one counts from half that length."""
    edges = [round(seconds * course.fps * part) for part in range(int(course.frames / (seconds * course.fps)) + 2)]
    parts = [(start, min(stop, course.frames)) for start, stop in itertools.pairwise(edges) if start < stop]
    kept = [(start, stop) for start, stop in parts if 2 * (stop - start) >= seconds * course.fps]
    return np.stack([course.score(*part) for part in kept], axis=1) if kept else np.empty((len(course.values), 0))


NUMBERS: dict[str, Callable[[Course], Floats]] = {one.__name__: one for one in (framepack15, rolling5s, vde)}
"""The definitions that give a film one number."""
