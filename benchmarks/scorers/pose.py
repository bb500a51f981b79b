"""Are the parts of a figure where its skeleton says they are?

A part is looked for over the whole frame, in steps of a fraction of a pixel: it is where the pixels that it would cover are
nearest to its colour. What they are nearer to than the background's does not count: by that, another part that stands out more
could be taken for it.
"""

from collections.abc import Mapping

import numpy as np
from scipy.fft import irfft2, rfft2  # type: ignore[import-untyped]

from benchmarks.arrays import Array, Floats, Singles
from benchmarks.films.film import Film
from benchmarks.scorers.metric import Metric
from benchmarks.scorers.truth import FAR

KEPT_SHARE = 0.5


class PoseScorer:
    """pose_error and parts_kept, each a mean over the clip's frames and the figure's parts."""

    metrics = (
        Metric(
            "pose_error", "lower", "1", "pixels", "clip", ("truth", "pose"),
            "Distance of a part from its true place; half the frame's shorter side at worst, and for a part that is lost.",
        ),
        Metric(
            "parts_kept", "higher", "1", "share", "clip", ("truth", "pose"),
            "Share of parts at whose best place the frame is nearer to the part than half-way from the background.",
        ),
    )  # fmt: skip

    def score(self, film: Film) -> Mapping[str, Floats]:
        """[n_clips] for each metric.

        Raises:
            ValueError: the truth is missing, knows no pose, or is of another size than the film.
        """
        figure = _Figure(film)
        blocks = [figure.score(film.frames[block], block) for block in film.blocks()]
        distance, kept = (np.concatenate(column).mean(axis=1) for column in zip(*blocks, strict=True))
        return {"pose_error": film.clip_means(distance), "parts_kept": film.clip_means(kept)}


class _Figure:
    """The truth as spectra of masks [J, S, S, H, W'], and what the background is off from each part's colour."""

    def __init__(self, film: Film) -> None:
        background, joints, colours, masks = _require_pose(film)
        self.joints: Floats = joints.astype(np.float64)
        self.colours: Singles = colours.astype(np.float32)
        self.size, self.steps = masks.shape[-2:], masks.shape[1]
        self.spectra = np.conj(rfft2(masks / masks.sum(axis=(-2, -1), keepdims=True, dtype=np.float32)))
        self.empty = self._misfits(background[None])[0]

    def score(self, frames: Array, block: slice) -> tuple[Floats, Floats]:
        """Frames uint8 [B, H, W, 3] -> distance in pixels and kept (0 or 1), both [B, J]."""
        misfits = self._misfits(frames)
        best = np.argmin(misfits.reshape(*misfits.shape[:2], -1), axis=2)
        row, column, y, x = np.unravel_index(best, misfits.shape[2:])
        part = np.arange(best.shape[1])[None]
        least = misfits[np.arange(len(best))[:, None], part, row, column, y, x]
        kept = least < (1 - KEPT_SHARE) * self.empty[part, row, column, y, x]
        height, width = self.size
        off = np.stack([x + column / self.steps, y + row / self.steps], axis=-1) - self.joints[block]
        off -= np.array([width, height]) * np.round(off / np.array([width, height]))
        far = FAR * min(height, width)
        distance = np.minimum(np.linalg.norm(off, axis=-1), far)
        return np.where(kept, distance, far), kept.astype(np.float64)

    def _misfits(self, frames: Array) -> Singles:
        """Mean squared distance from a part's colour of what it would cover, at each place. [B, J, S, S, H, W]"""
        shown = frames[:, None].astype(np.float32) / np.float32(255)
        off = np.sum((shown - self.colours[:, None, None]) ** 2, axis=-1)
        misfits: Singles = irfft2(rfft2(off)[:, :, None, None] * self.spectra, s=self.size)
        return misfits


def _require_pose(film: Film) -> tuple[Array, Array, Array, Array]:
    """Background, joints, part_colours and part_masks."""
    truth = film.truth
    if truth is None or truth.joints is None or truth.part_colours is None or truth.part_masks is None:
        raise ValueError(
            "truth: received no joints, part_colours and part_masks, expected those of a film that follows a skeleton"
        )
    total, *frame = film.frames.shape
    parts, steps = truth.part_masks.shape[:2]
    given = (truth.background, truth.joints, truth.part_colours, truth.part_masks)
    wanted = [tuple(frame), (total, parts, 2), (parts, 3), (parts, steps, steps, *frame[:2])]
    if (received := [one.shape for one in given]) != wanted:
        raise ValueError(
            f"truth: received background, joints, part_colours and part_masks {received}, expected {wanted}"
        )
    return given
