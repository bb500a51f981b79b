"""Does a film repeat itself: does it come back to frames of some seconds ago that it had left?

A film that hardly moves is alike to its past at every lag; one that repeats itself is alike at some and was not in between. So
what counts is how far it comes back, of how far it had gone: a still film and slow motion repeat nothing.
"""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Array, Floats, Frames, Singles
from benchmarks.films.film import Film
from benchmarks.scorers.metric import FrameScorer, Metric

LAGS = (1.0, 10.0)  # seconds, from and to
RATE = 8.0  # frames a second that are looked at, at most
SIDE = 16  # pixels of the shorter side to which frames are reduced, at most
MARGIN = 1.5  # a return that the true film makes between lag / MARGIN and lag * MARGIN is none of the film's own
_LEAST = 1.0 / 255  # of difference: going less far is not going


class RepetitionScorer(FrameScorer):
    """repetition, a mean over the clip's frames."""

    metrics = (
        Metric(
            "repetition", "lower", "1", "share", "clip", (),
            "How far a frame comes back to one of 1 to 10 s before, of how far the film had gone from it; beyond the true film's.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]: of every frame that is looked at, the strongest return; NaN for the others, and in the first second."""
        step = max(1, round(film.fps / RATE))
        shortest, longest = (max(round(lag * film.fps / step), 2) for lag in LAGS)
        found = _returns(_reduced(film.frames, film, step), longest)
        if film.continuation is not None:
            found = found - _nearby(_returns(_reduced(film.continuation, film, step), round(MARGIN * longest)), longest)
        strongest = np.full(len(film.frames), np.nan)
        if len(found) > shortest:
            strongest[::step][shortest:] = np.clip(found[shortest:, shortest:].max(axis=1), 0, 1)
        return {"repetition": strongest}


def _reduced(frames: Frames, film: Film, step: int) -> Singles:
    """Every step-th frame on 0..1, in blocks of pixels that are averaged. [N, D]"""
    kept = []
    _, height, width, _ = frames.shape
    size = max(1, min(height, width) // SIDE)
    down, across = height // size, width // size
    for block in film.blocks():
        images: Array = frames[block][-block.start % step :: step, : down * size, : across * size]
        means = images.reshape(len(images), down, size, across, size, 3).mean(axis=(2, 4))
        kept.append((means / 255).reshape(len(images), 3 * down * across).astype(np.float32))  # a block may hold none
    return np.concatenate(kept)


def _returns(frames: Singles, longest: int) -> Floats:
    """Of each frame and lag [N, longest + 1]: one minus its distance from the frame of that lag before, of the greatest distance
    that any frame in between has from it; 0 where there is none, or nothing was left."""
    distance = np.zeros((len(frames), longest + 1))
    for lag in range(1, min(longest, len(frames) - 1) + 1):
        distance[lag:, lag] = np.abs(frames[lag:] - frames[:-lag]).mean(axis=1)
    farthest = np.maximum.accumulate(distance, axis=1)
    known = np.arange(longest + 1) <= np.arange(len(frames))[:, None]
    gone = known & (farthest > _LEAST)
    returns: Floats = np.where(gone, 1 - distance / np.where(gone, farthest, 1), 0)
    return returns


def _nearby(returns: Floats, longest: int) -> Floats:
    """The strongest return at any lag within MARGIN of each. [N, L] -> [N, longest + 1]"""
    edges = [(int(lag / MARGIN), round(lag * MARGIN) + 1) for lag in range(longest + 1)]
    return np.stack([returns[:, low:high].max(axis=1) for low, high in edges], axis=1)
