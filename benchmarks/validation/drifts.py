"""Twelve drifts, each one function of a true film and a dose: nothing at the film's first frame, all of the dose at its last.

What a drift does to a frame grows evenly with time between the two. Where it acts on time alone, or at hand-offs, its function says
how. Frames are uint8 [F, H, W, 3]; a strength is one number a frame [F].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.ndimage import gaussian_filter  # type: ignore[import-untyped]

from benchmarks.arrays import Array, Floats, UInt8
from benchmarks.films.film import Film

LOOPED, CYCLE = 1.0, 4.0  # seconds that a looping film shows again and again, and in how many it begins to
_WIDTH = 1.0  # pixels: sigma of what sharpening takes for blur
_GREY = 1 / np.sqrt(3)


@dataclass(frozen=True)
class Drift:
    """A drift: what `act(film, dose)` does to the film's frames, in which unit, and its greatest dose.

    `visible` is the just visible dose. None: the dose whose mean colour difference is just visible (benchmarks.validation.visible),
    over `where`: all of the last frame, its object's pixels, or the first frame after a hand-off.
    """

    name: str
    about: str
    unit: str
    greatest: float
    act: Callable[[Film, float], UInt8]
    where: Literal["frame", "object", "hand-off"] = "frame"
    visible: float | None = None


def ramp(film: Film, dose: float) -> Floats:
    """The strength at every frame: from none to the dose. [F]"""
    return np.linspace(0, dose, len(film.frames))


def hue(film: Film, dose: float) -> UInt8:
    """Colours turn around grey by `dose` degrees."""
    angle = np.radians(ramp(film, dose))[:, None, None, None]
    image = _scaled(film)
    axis = np.full(3, _GREY)
    turned = image * np.cos(angle) + np.cross(axis, image) * np.sin(angle)
    return _bytes(turned + axis * (image @ axis)[..., None] * (1 - np.cos(angle)))


def gamma(film: Film, dose: float) -> UInt8:
    """Middle tones darken: the exponent grows from 1 to 1 + `dose`."""
    return _bytes(_scaled(film) ** (1 + _each(ramp(film, dose))))


def exposure(film: Film, dose: float) -> UInt8:
    """All is brighter by `dose` stops, white at most."""
    return _bytes(_scaled(film) * 2 ** _each(ramp(film, dose)))


def blur(film: Film, dose: float) -> UInt8:
    """A Gaussian of `dose` pixels (sigma)."""
    return _bytes(_blurred(_scaled(film), ramp(film, dose)))


def sharpen(film: Film, dose: float) -> UInt8:
    """Unsharp masking: `dose` times what a Gaussian of a pixel takes away is added."""
    image = _scaled(film)
    lost = image - _blurred(image, np.full(len(image), _WIDTH))
    return _bytes(image + _each(ramp(film, dose)) * lost)


def noise(film: Film, dose: float) -> UInt8:
    """Gaussian noise of `dose` levels of 255 (sigma), anew in every frame, the same at every dose."""
    grain = np.random.default_rng(0).standard_normal(film.frames.shape, dtype=np.float32)
    return _bytes(_scaled(film) + _each(ramp(film, dose)) * grain / 255)


def freeze(film: Film, dose: float) -> UInt8:
    """The end of every clip stands still for up to `dose` seconds; the next one goes on from there.

    Parts of a frame are carried on to the next clip, so that every dose differs from every other.
    """
    strength, moves = ramp(film, dose) * film.fps, np.ones(len(film.frames), np.int64)
    owed = 0.0
    for clip in film.clips:
        owed += strength[clip.stop - 1]
        still = min(int(owed), clip.stop - clip.start - 1)
        owed -= int(owed)
        moves[clip.stop - still : clip.stop] = 0
    return np.asarray(_all(film)[np.cumsum(moves) - 1])


def slow_down(film: Film, dose: float) -> UInt8:
    """Everything moves slower, by the share `dose` at the end; between two frames their mixture is shown."""
    times = np.concatenate([[0.0], np.cumsum(1 - ramp(film, dose)[1:])])
    before = np.minimum(times.astype(np.int64), len(times) - 2) if len(times) > 1 else np.zeros(1, np.int64)
    image, part = _scaled(film), _each(times - before)
    return _bytes((1 - part) * image[before] + part * image[np.minimum(before + 1, len(image) - 1)])


def loop(film: Film, dose: float) -> UInt8:
    """In every 4 seconds, the last ones, up to `dose`, show the second before them again and again; then it goes on from there."""
    period, cycle, strength = round(LOOPED * film.fps), round(CYCLE * film.fps), ramp(film, dose) * film.fps
    shown: list[int] = []
    now = 0
    for start in range(0, len(strength), cycle):
        stop = min(start + cycle, len(strength))
        again = min(round(strength[stop - 1]), max(stop - start - period, 0))
        fresh = stop - start - again
        shown += range(now, now + fresh)
        now += fresh
        shown += [now - period + k % period for k in range(again)]
    return np.asarray(_all(film)[np.array(shown)])


def swap(film: Film, dose: float) -> UInt8:
    """The objects turn into ones of another colour (red to green to blue), mixed in by the share `dose`."""
    image = _scaled(film)
    mixed = image + _each(ramp(film, dose)) * (np.roll(image, 1, axis=-1) - image)
    return _bytes(np.where(object_pixels(film)[..., None], mixed, image))


def seam(film: Film, dose: float) -> UInt8:
    """Every clip after a hand-off begins brighter by up to `dose` levels of 255, and fades back until the next one."""
    strength, offset = ramp(film, dose), np.zeros(len(film.frames))
    for clip in film.clips[1:]:
        offset[clip] = strength[clip.start] * np.linspace(1, 0, clip.stop - clip.start, endpoint=False)
    return _bytes(_scaled(film) + _each(offset) / 255)


def fade(film: Film, dose: float) -> UInt8:
    """The objects fade into the background, by the share `dose` at the end."""
    image = _scaled(film)
    return _bytes(image + _each(ramp(film, dose)) * (_background(film) / 255 - image))


def object_pixels(film: Film) -> Array:
    """Where a true film shows an object: what differs from its background. [F, H, W] of bool"""
    return np.asarray((_all(film) != _background(film)).any(axis=-1))


DRIFTS = {
    drift.name: drift
    for drift in (
        Drift("hue", "colours turn around grey", "degrees", 120.0, hue),
        Drift("gamma", "middle tones darken", "exponent over 1", 1.0, gamma),
        Drift("exposure", "everything brightens", "stops", 1.0, exposure),
        Drift("blur", "detail blurs", "pixels (sigma)", 2.0, blur),
        Drift("sharpen", "edges are overdrawn", "times the lost detail", 2.0, sharpen),
        Drift("noise", "grain appears", "levels (sigma)", 40.0, noise),
        Drift("freeze", "each clip ends in a still", "seconds a clip", 0.375, freeze, visible=0.125),
        Drift("slow-down", "motion slows", "share of speed", 0.9, slow_down, visible=0.1),
        Drift("loop", "a second is shown again and again", "seconds of every 4", 3.0, loop, visible=1.0),
        Drift("identity swap", "the object takes another's colour", "share", 1.0, swap, "object"),
        Drift("seam jump", "clips begin brighter than the last one ended", "levels", 60.0, seam, "hand-off"),
        Drift("object fade", "the object fades away", "share", 1.0, fade, "object"),
    )
}


def _all(film: Film) -> Array:
    return film.frames[: len(film.frames)]


def _scaled(film: Film) -> Floats:
    return _all(film).astype(np.float64) / 255


def _each(strength: Floats) -> Floats:
    """[F] beside [F, H, W, 3]."""
    return strength[:, None, None, None]


def _blurred(image: Floats, sigmas: Floats) -> Floats:
    pairs = zip(image, sigmas, strict=True)
    return np.stack([gaussian_filter(frame, (sigma, sigma, 0), mode="nearest") for frame, sigma in pairs])


def _background(film: Film) -> Array:
    """Raises ValueError for a film whose true scene is not known."""
    if film.truth is None:
        raise ValueError("truth: received none, expected the true scene of the film")
    return film.truth.background


def _bytes(image: Floats) -> UInt8:
    return np.asarray(np.rint(255 * np.clip(image, 0, 1)), dtype=np.uint8)
