"""The drift gauge: what this project's scorers say of a clip that has just been made."""

import math
from typing import NamedTuple

import numpy as np

from benchmarks.films.film import Film, Probe
from benchmarks.scorers.colour import TintScorer
from benchmarks.scorers.drift import DriftScorer
from benchmarks.scorers.exposure import ExposureScorer
from benchmarks.scorers.forecast import gain_and_eps
from benchmarks.scorers.metric import FrameScorer
from benchmarks.scorers.steps import SeamScorer, StepScorer
from svi.frames import Frames
from svi.generation.generator import Generator
from svi.generation.probe import probe
from svi.generation.reel import Script

_SCORERS: tuple[FrameScorer, ...] = (TintScorer(), DriftScorer(), SeamScorer(), StepScorer(), ExposureScorer())


class Dial(NamedTuple):
    """What one number says to a director: its name, and what its value means."""

    metric: str
    title: str
    about: str
    digits: int


DIALS = (
    Dial("tint_drift", "Colour", "how far the mean colour is from the start, in CIELAB; 2.3 is just visible", 1),
    Dial("sharpness_drift", "Sharpness", "how much blurrier or harsher than the start; 0 is unchanged", 2),
    Dial("contrast_drift", "Contrast", "how much flatter or harder than the start; 0 is unchanged", 2),
    Dial("seam", "Seam", "the step into the clip against steps within clips; 1 cannot be seen", 1),
    Dial("motion", "Motion", "how much moves from frame to frame; falling to 0, the film freezes", 3),
    Dial("overexposed", "White", "share of burnt-out pixels", 2),
)


def gauge(clip: Frames, fps: int, first: Frames | None = None, before: Frames | None = None) -> dict[str, float | None]:
    """Of a clip [L, H, W, 3] uint8 as the film shows it, against the film's first frame [1, H, W, 3] and the clip before; of the
    film's first clip without them. None where a number is not defined."""
    parts = [part for part in (first, before) if part is not None] + [clip]
    ends = np.cumsum([len(part) for part in parts])
    slices = tuple(slice(int(end) - len(part), int(end)) for part, end in zip(parts, ends, strict=True))
    film = Film(np.concatenate(parts), fps, slices)
    found = {name: float(values[-1]) for scorer in _SCORERS for name, values in scorer.score(film).items()}
    return {dial.metric: found[dial.metric] if math.isfinite(found[dial.metric]) else None for dial in DIALS}


def probed(maker: Generator, script: Script) -> dict[str, float | None]:
    """Gain and eps of the film's first clip, which is made twice for it. Raises ValueError for a loop that cannot be probed."""
    latents = probe(maker, [script])
    gain, eps = gain_and_eps(
        Probe(*(latents[key][0] for key in ("condition", "perturbation", "output_clean", "output_perturbed")))
    )
    return {"gain": gain if math.isfinite(gain) else None, "eps": eps if math.isfinite(eps) else None}
