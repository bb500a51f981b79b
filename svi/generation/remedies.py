"""Remedies without training: a clip in the colours of the start image, and noise on the past where a detector finds drift."""

import numpy as np
from torch import Tensor

from svi.frames import Frames
from svi.generation.loop import State
from svi.method.colour import MATCHES
from svi.method.drift_detector import Statistics, drifted, statistics, updated


def recoloured(frames: Frames, start: Tensor, how: str) -> Frames:
    """Each film's clip, by one transform, in the colours of its start image. [B, L, H, W, 3] and [B, H, W, 3] uint8"""
    return np.stack([MATCHES[how](film, image) for film, image in zip(frames, start.numpy(), strict=True)])


def watched(latents: Tensor, past: State) -> State:
    """What the detector keeps after a clip: "mean" and "var", the averages [B, C], and "drifted", bool [B]."""
    now = statistics(latents)
    average = updated(Statistics(past["mean"], past["var"]) if past else None, now)
    return {"mean": average.mean, "var": average.var, "drifted": drifted(average, now)}
