"""Helios' statistics detector: has a clip's look left that of the film so far? Then its history is to be disturbed.

Source: the code of Helios (arXiv 2603.04379), AdaptiveAntiDrifting, where it is off by default. It compares a clip with a moving
average, so it finds jumps: what creeps is followed by the average and never found.
"""

from typing import NamedTuple

import torch
from torch import Tensor

DECAY = 0.9  # of both averages
LIMIT = 0.15  # L2 over channels, of means and of variances
STRENGTH = 0.1  # standard deviation of the noise, latent units


class Statistics(NamedTuple):
    """Moving averages of a film's channels, for each film of a batch on its own. [B, C]"""

    mean: Tensor
    var: Tensor


def statistics(latents: Tensor) -> Statistics:
    """Mean and variance of each channel of a clip. [B, C, T, h, w] -> [B, C]"""
    return Statistics(latents.mean(dim=(2, 3, 4)), latents.var(dim=(2, 3, 4)))


def updated(average: Statistics | None, clip: Statistics) -> Statistics:
    """The averages with this clip; None before the first, which they begin with."""
    if average is None:
        return clip
    return Statistics(*(DECAY * old + (1 - DECAY) * new for old, new in zip(average, clip, strict=True)))


def drifted(average: Statistics, clip: Statistics) -> Tensor:
    """Whether a clip's means and variances both lie further than LIMIT from the averages, which hold the clip already. bool [B]"""
    moved = torch.stack([(now - before).norm(dim=1) for before, now in zip(average, clip, strict=True)])
    return (moved > LIMIT).all(dim=0)


def disturbed(history: Tensor, where: Tensor, noise: Tensor) -> Tensor:
    """History + STRENGTH n for the films that have drifted, the others as they are. history, noise [B, ...], where bool [B]"""
    return torch.where(where.reshape(-1, *[1] * (history.dim() - 1)), history + STRENGTH * noise, history)
