"""Do the objects move as their prompts say: which way, how fast, and how soon after a prompt changes?

An object's velocity at a frame is the slope of the line through its places within half a second before and after.
"""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from benchmarks.arrays import Floats, known_mean
from benchmarks.films.film import Film
from benchmarks.films.truth import Truth
from benchmarks.scorers.metric import FrameScorer, Metric
from benchmarks.scorers.places import found_places

AROUND = 0.5  # seconds
ASTRAY = 90.0  # degrees: what chance gives, of an object that is lost or stands still
_STILL = 0.25  # of the prompted speed, below which an object has no direction
_FEWEST = 3  # places that a velocity is made of
_HALF_WAY = 0.5  # from the old velocity to the new one
Bools = npt.NDArray[np.bool_]


class CourseScorer(FrameScorer):
    """heading_error and speed_kept, each a mean over the clip's frames and the objects."""

    metrics = (
        Metric(
            "heading_error", "lower", "1", "degrees", "clip", ("truth", "course"),
            f"Angle between where an object moves and where its prompt says; {ASTRAY:.0f} where it is lost or stands still.",
        ),
        Metric(
            "speed_kept", "higher", "1", "share", "clip", ("truth", "course"),
            "The smaller of an object's speed and its prompt's, of the larger; 0 where it is lost or stands still.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F] for each metric; NaN where nothing asks for motion or can be seen. Raises ValueError as `found_places`."""
        truth, found = _require_velocities(film), found_places(film)
        found_velocity = velocities(film, prompt_of(truth))
        speed, asked = (np.linalg.norm(of, axis=-1) for of in (found_velocity, truth))
        moves = found.kept & (speed > _STILL * asked)  # NaN moves nowhere
        cosine = np.sum(found_velocity * truth, axis=-1) / np.where(moves & (asked > 0), speed * asked, 1)
        angle = np.where(moves, np.degrees(np.arccos(np.clip(cosine, -1, 1))), ASTRAY)
        larger = np.where(moves, np.maximum(speed, asked), 1)
        kept = np.where(moves, np.minimum(speed, asked) / larger, 0)
        judged = (asked > 0) & ~found.hidden
        return {
            "heading_error": known_mean(np.where(judged, angle, np.nan)),
            "speed_kept": known_mean(np.where(judged, kept, np.nan)),
        }


class SwitchScorer(FrameScorer):
    """switch_latency of the clips in which a prompt changes what it asks for."""

    metrics = (
        Metric(
            "switch_latency", "lower", "1", "seconds", "clip", ("truth", "course", "switches"),
            "Time from a change of the prompt until its object moves more as the new one says than as the old one did, and goes "
            "on to for half a second; until the next change at most.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F]: at each frame in which a prompt changes; NaN elsewhere. Raises ValueError as `found_places`."""
        truth = _require_velocities(film)
        prompts, found = prompt_of(truth), velocities(film, np.zeros(len(truth), np.int64))
        kept, hold = found_places(film).kept, max(round(AROUND * film.fps), 1)
        starts = np.flatnonzero(np.diff(prompts)) + 1
        latency = np.full(truth.shape[:2], np.nan)
        for start, stop in zip(starts, [*starts[1:], len(truth)], strict=True):
            for k in range(truth.shape[1]):
                old, change = truth[start - 1, k], truth[start, k] - truth[start - 1, k]
                if change @ change > 0:
                    way = (found[start:stop, k] - old) @ change / (change @ change)
                    latency[start, k] = _until((way > _HALF_WAY) & kept[start:stop, k], hold) / film.fps
        return {"switch_latency": known_mean(latency)}


def velocities(film: Film, stretch: npt.NDArray[np.int64]) -> Floats:
    """Pixels a frame [F, K, 2], (x, y), of frames of the same `stretch` [F] alone; NaN where the object is lost or seldom seen."""
    found, reach = found_places(film), max(round(AROUND * film.fps), 1)
    _, height, width, _ = film.frames.shape
    off = np.arange(-reach, reach + 1)
    near = np.arange(len(stretch))[:, None] + off
    inside = (near >= 0) & (near < len(stretch))
    near = np.clip(near, 0, len(stretch) - 1)
    inside &= stretch[near] == stretch[:, None]
    slopes = np.full_like(found.places, np.nan)
    for k in range(slopes.shape[1]):
        use = (inside & found.kept[near, k]).astype(np.float64)
        counts = use.sum(axis=1)
        places = _unwrapped(found.places[:, k], found.kept[:, k], np.array([width, height]))[near]
        time = off - (use @ off / np.maximum(counts, 1))[:, None]
        spread = (use * time**2).sum(axis=1)
        known = (counts >= _FEWEST) & found.kept[:, k]
        along = np.einsum("fw,fwd->fd", use * time, places)
        slopes[known, k] = along[known] / spread[known, None]
    return slopes


def prompt_of(velocities: Floats) -> npt.NDArray[np.int64]:
    """Which prompt each frame has, counted by the changes of what is asked for [F, K, 2]. [F]"""
    changes = np.any(np.diff(velocities, axis=0) != 0, axis=(1, 2))
    return np.concatenate([[0], np.cumsum(changes)])


def _unwrapped(places: Floats, kept: Bools, size: npt.NDArray[np.int64]) -> Floats:
    """Places [F, 2] without the jumps around the borders, counted from one frame that shows the object to the next."""
    shown = places[kept]
    steps = (np.diff(shown, axis=0) + size / 2) % size - size / 2
    path = np.zeros_like(places)
    path[kept] = shown[:1] + np.concatenate([np.zeros((len(shown[:1]), 2)), np.cumsum(steps, axis=0)])
    return path


def _until(follows: Bools, hold: int) -> int:
    """Frames until it follows for `hold` of them, or to the end; all of them where it never does."""
    for frame in range(len(follows)):
        if follows[frame : frame + hold].all():
            return frame
    return len(follows)


def _require_velocities(film: Film) -> Floats:
    truth: Truth | None = film.truth
    if truth is None or truth.velocities is None:
        raise ValueError("truth: received no velocities, expected what the prompts of the film ask for")
    if truth.velocities.shape != (wanted := (len(film.frames), len(truth.object_masks), 2)):
        raise ValueError(f"truth: received velocities {truth.velocities.shape}, expected {wanted}")
    return truth.velocities.astype(np.float64)
