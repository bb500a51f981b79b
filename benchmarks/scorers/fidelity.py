"""Fidelity to the true continuation: PSNR and SSIM of every frame.

PSNR over all channels of a frame on 0..1, 100 dB below a squared error of 1e-10. SSIM after Wang et al. 2004: Gaussian
window of 11 x 11 with sigma 1.5, only where it lies inside the frame, C1 = .01^2 and C2 = .03^2, per channel.
"""

from collections.abc import Mapping

import numpy as np

from benchmarks.arrays import Floats
from benchmarks.films.film import Film
from benchmarks.scorers.metric import Metric

PSNR_CAP_DB = 100.0
NO_ERROR = 1e-10
WINDOW = 11
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2


class FidelityScorer:
    """psnr and ssim, each a mean over the clip's frames."""

    metrics = (
        Metric(
            "psnr", "higher", "1", "dB", "clip", ("continuation",),
            "PSNR against the true continuation; a film may leave it and still be good, so read it beside the drift.",
        ),
        Metric(
            "ssim", "higher", "1", "index", "clip", ("continuation",),
            "Structural similarity to the true continuation; undefined for frames below 11 pixels.",
        ),
    )  # fmt: skip

    def score(self, film: Film) -> Mapping[str, Floats]:
        """[n_clips] for each metric.

        Raises:
            ValueError: the continuation is missing.
        """
        if film.continuation is None:
            raise ValueError("continuation: received none, expected the true continuation of the film")
        psnrs, ssims = [], []
        for block in film.blocks():
            frames = film.frames[block].astype(np.float64) / 255
            target = film.continuation[block].astype(np.float64) / 255
            psnrs.append(psnr(frames, target))
            ssims.append(ssim(frames, target))
        return {"psnr": film.clip_means(np.concatenate(psnrs)), "ssim": film.clip_means(np.concatenate(ssims))}


def psnr(frames: Floats, target: Floats) -> Floats:
    """Frames on 0..1, both [B, H, W, 3] -> dB [B]."""
    return decibels(np.mean((frames - target) ** 2, axis=(1, 2, 3)))


def decibels(mse: Floats) -> Floats:
    """Mean squared error on 0..1 -> PSNR in dB, 100 below an error of 1e-10."""
    return np.where(mse < NO_ERROR, PSNR_CAP_DB, -10 * np.log10(np.maximum(mse, NO_ERROR)))


def ssim(frames: Floats, target: Floats) -> Floats:
    """Frames on 0..1, both [B, H, W, 3] -> index [B], the mean over window positions and channels; NaN below 11 px."""
    if min(frames.shape[1:3]) < WINDOW:
        return np.full(len(frames), np.nan)
    mean_x, mean_y = _window_mean(frames), _window_mean(target)
    variances = _window_mean(frames**2 + target**2) - mean_x**2 - mean_y**2
    covariance = _window_mean(frames * target) - mean_x * mean_y
    likeness = (2 * mean_x * mean_y + C1) * (2 * covariance + C2)
    index: Floats = likeness / ((mean_x**2 + mean_y**2 + C1) * (variances + C2))
    return np.asarray(index.mean(axis=(1, 2, 3)))


def _window_mean(images: Floats) -> Floats:
    """[B, H, W, 3] -> [B, H - 10, W - 10, 3]: Gaussian-weighted mean at each position inside the frame."""
    offsets = np.arange(WINDOW) - WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    rows, columns = images.shape[1] - WINDOW + 1, images.shape[2] - WINDOW + 1
    by_row: Floats = sum(weight * images[:, i : i + rows] for i, weight in enumerate(weights))
    by_both: Floats = sum(weight * by_row[:, :, i : i + columns] for i, weight in enumerate(weights))
    return by_both
