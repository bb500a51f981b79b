"""What has become of the true background, as people would say it: lighter or darker, of other colours, less sharp.

Each pixel is compared with the true scene's, where no object is: so a film's own objects, which move, change nothing, and neither
does which part of the scene they leave free. Light and hue are then held against the first clip: a cast that the whole film has is
no drift, and would hide one. Against the clip, for an encoder is less wrong about its mean than about one frame.
"""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Array, Floats
from benchmarks.colours import lab
from benchmarks.films.film import Film
from benchmarks.scorers.metric import FrameScorer, Metric
from benchmarks.scorers.places import uncovered


class BackgroundScorer(FrameScorer):
    """light_drift, hue_drift and detail_kept, each a mean over the clip's frames."""

    metrics = (
        Metric(
            "light_drift", "lower", "1", "CIELAB", "clip", ("truth", "course"),
            "How much lighter or darker the background is than in the first clip, in L; 2.3 is just visible.",
        ),
        Metric(
            "hue_drift", "lower", "1", "CIELAB", "clip", ("truth", "course"),
            "How far the background's colours have turned around grey since the first clip; 2.3 is just visible.",
        ),
        Metric(
            "detail_kept", "higher", "1", "share", "clip", ("truth", "course"),
            "Share of the true background's detail (differences of neighbouring pixels) that is there; 1 over it if more.",
        ),
    )  # fmt: skip

    def frames(self, film: Film) -> Mapping[str, Floats]:
        """[F] for each metric; NaN where objects leave nothing free. Raises ValueError as `found_places`."""
        free = uncovered(film)
        assert film.truth is not None
        true = film.truth.background
        blocks = [_against(true, film.frames[block], free[block]) for block in film.blocks()]
        light, angle, detail = (np.concatenate(column) for column in zip(*blocks, strict=True))
        lighter, turned = (one - film.clip_means(one)[0] for one in (light, angle))
        chroma = np.sqrt((lab(true / 255)[..., 1:] ** 2).sum(axis=-1).mean())
        chord = 2 * np.abs(np.sin(turned / 2))  # not the angle, which is large for pale colours that hardly change
        return {
            "light_drift": np.abs(lighter),
            "hue_drift": chroma * chord,
            "detail_kept": detail,
        }


def _against(true: Array, frames: Array, free: Array) -> tuple[Floats, Floats, Floats]:
    """Of the free pixels [B, H, W] of frames uint8 [B, H, W, 3], against the true ones: how much lighter they are, by which angle
    (radians) their colours are turned, and how much detail they have kept. All [B]"""
    shown, meant = np.moveaxis(lab(frames / 255), -1, 0), np.moveaxis(lab(true / 255), -1, 0)
    (light, a, b), (true_light, true_a, true_b) = shown, meant
    across, along = _sum(free, true_a * b - true_b * a), _sum(free, true_a * a + true_b * b)
    pixels = free.sum(axis=(1, 2), dtype=np.float64)
    angle = np.where(pixels > 0, np.arctan2(across, along), np.nan)
    return _ratio(_sum(free, light - true_light), pixels), angle, _detail(true, frames, free)


def _detail(true: Array, frames: Array, free: Array) -> Floats:
    """With s the differences of neighbouring pixels and t the true ones: s t / t t or, where that is more than 1, one over it; 0 at
    least. Noise has nothing in common with t, and does not count. NaN for a flat background. [B]"""
    common, own = np.zeros(len(frames)), np.zeros(len(frames))
    for axis in (1, 2):
        after, before = ((slice(None),) * axis + (part,) for part in (slice(1, None), slice(None, -1)))
        both = (free[after] & free[before])[..., None]
        found, meant = np.diff(frames.astype(np.float64), axis=axis), np.diff(true[None].astype(np.float64), axis=axis)
        common, own = common + _sum(both, found * meant), own + _sum(both, meant**2)
    kept = np.maximum(_ratio(common, own), 0)
    return np.fmin(kept, _ratio(np.ones_like(kept), kept))


def _sum(free: Array, values: Array) -> Floats:
    """Of what is free, frame by frame. [B]"""
    return np.asarray((free * values).reshape(len(free), -1).sum(axis=1), np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """NaN where the whole is nothing."""
    found: Floats = np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
    return found
