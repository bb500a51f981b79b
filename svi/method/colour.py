"""Colour matching: the colours of frames, made those of a reference image; what users do against drift without any training.

One transform for all the frames that are given, as users match a whole clip to the film's start image, so that what changes within
the clip stays. Frames [..., H, W, 3] uint8 or float, the reference [..., H, W, 3] of any size. uint8 comes back as uint8, at the
nearest level; floats come back unbounded.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[Any]
Rows = NDArray[np.float64]

FLAT = 1e-10  # of the largest variance: a direction with less is flat and stays so


def mean_std(frames: Pixels, reference: Pixels) -> Pixels:
    """Mean and standard deviation of each channel (Reinhard et al., Color Transfer between Images, 2001; in RGB)."""
    x, goal = _rows(frames), _rows(reference)
    spread = x.std(axis=0)
    scale = np.divide(goal.std(axis=0), spread, out=np.zeros(3), where=spread > 0)
    return _like((x - x.mean(axis=0)) * scale + goal.mean(axis=0), frames)


def mkl(frames: Pixels, reference: Pixels) -> Pixels:
    """Mean and full covariance, by the linear map that moves colours least.

    T = S^-1/2 (S^1/2 R S^1/2)^1/2 S^-1/2 with S the covariance of the frames and R that of the reference (Pitié and Kokaram, The
    Linear Monge-Kantorovitch Linear Colour Mapping, 2007).
    """
    x, goal = _rows(frames), _rows(reference)
    root = _power(np.cov(x.T, bias=True), 0.5)
    inverse = _power(np.cov(x.T, bias=True), -0.5)
    through = inverse @ _power(root @ np.cov(goal.T, bias=True) @ root, 0.5) @ inverse
    return _like((x - x.mean(axis=0)) @ through + goal.mean(axis=0), frames)


def histogram(frames: Pixels, reference: Pixels) -> Pixels:
    """Each channel's histogram, by the quantiles of its values (Gonzalez and Woods, Digital Image Processing, 3.3.2)."""
    x, goal = _colours(frames), _colours(reference)
    return _like(np.stack([_quantiles(*pair) for pair in zip(x.T, goal.T, strict=True)], axis=1), frames)


MATCHES: Mapping[str, Callable[[Pixels, Pixels], Pixels]] = MappingProxyType(
    {"mean_std": mean_std, "mkl": mkl, "histogram": histogram}
)


def _colours(frames: Pixels) -> Pixels:
    """[..., H, W, 3] -> [pixels, 3]. Raises ValueError for another number of channels."""
    if frames.shape[-1] != 3:
        raise ValueError(f"colours: received frames of shape {frames.shape}, expected [..., H, W, 3]")
    return frames.reshape(-1, 3)


def _rows(frames: Pixels) -> Rows:
    return _colours(frames).astype(np.float64)


def _like(rows: Rows, frames: Pixels) -> Pixels:
    if frames.dtype == np.uint8:
        rows = rows.round().clip(0, 255)
    return rows.reshape(frames.shape).astype(frames.dtype)


def _power(covariance: Rows, exponent: float) -> Rows:
    """Of a symmetric matrix without negative eigenvalues, 0 in its flat directions. [3, 3]"""
    values, vectors = np.linalg.eigh(covariance)
    kept = values > FLAT * max(values.max(), 0)
    power: Rows = (vectors * np.where(kept, values, 1) ** exponent * kept) @ vectors.T
    return power


def _quantiles(values: Pixels, goal: Pixels) -> Rows:
    """The goal's value at the quantile of each value. [pixels]"""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    levels, many = np.unique(goal, return_counts=True)
    matched: Rows = np.interp(counts.cumsum() / len(values), many.cumsum() / len(goal), levels)
    return matched[place]
