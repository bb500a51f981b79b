"""Motion smoothness: how well every other frame is foretold by its two neighbours."""

from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.arrays import Floats, UInt8
from benchmarks.vbench.amt import AmtS
from benchmarks.vbench.dimension import DimensionScore, VideoInfo
from benchmarks.vbench.files import AMT_S
from benchmarks.vbench.images import to_images
from benchmarks.vbench.raft import check_size, padding

_MULTIPLE = 16


class MotionSmoothness:
    """VBench's motion_smoothness, 0..1: AMT-S draws each odd frame from the even ones beside it; 1 minus the mean
    absolute difference from the true frame. A last frame without a successor is left out.

    A frame's value is its own score; even frames have none.
    """

    name = "motion_smoothness"
    about = "1 minus the mean difference of every second frame from the one interpolated between its neighbours."
    version = "1"
    files = (AMT_S,)

    def __init__(self, model: AmtS, device: str | torch.device = "cpu") -> None:
        self._model, self._device = model.to(device).requires_grad_(False), device

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> Self:
        """With the published weights.

        Raises:
            ValueError: the weight file is missing or another one.
        """
        return cls(AmtS.load(), device)

    def begin(self, video: VideoInfo) -> None:
        """Start a video.

        Raises:
            ValueError: fewer than three frames, or too small ones for AMT.
        """
        if video.frames < 3:
            raise ValueError(f"{video.name}: received {video.frames} frames, expected three or more to interpolate")
        check_size("AMT", video.height, video.width, _MULTIPLE)
        self._padding = padding(video.height, video.width, _MULTIPLE)
        self._scores = np.full(video.frames, np.nan)
        self._name, self._seen = video.name, 0
        self._even: Tensor | None = None
        self._odd: UInt8 | None = None

    @torch.inference_mode()
    def feed(self, frames: UInt8) -> None:
        for index, frame in enumerate(frames, start=self._seen):
            if index % 2:
                self._odd = frame.copy()  # the block may be its reader's buffer
                continue
            even = functional.pad(to_images(frame[None]).to(self._device) / 255, self._padding, mode="replicate")
            if self._even is not None and self._odd is not None:
                middle = self._to_pixels(self._model(self._even, even))
                difference = np.abs(self._odd.astype(np.int16) - middle).mean()
                self._scores[index - 1] = (255 - difference) / 255
            self._even = even
        self._seen += len(frames)

    def end(self) -> DimensionScore:
        """The score.

        Raises:
            ValueError: not as many frames as announced.
        """
        if self._seen != len(self._scores):
            raise ValueError(f"{self._name}: received {self._seen} frames, expected {len(self._scores)}")
        return DimensionScore(weight=1.0, frames=self._scores, rule=_mean_of_foretold)

    def _to_pixels(self, image: Tensor) -> UInt8:
        """[1, 3, H, W] on 0..1 -> uint8 [h, w, 3] without the padding; cut off, not rounded, as VBench does."""
        left, right, above, below = self._padding
        height, width = image.shape[-2:]
        inner = image[0, :, above : height - below, left : width - right]
        pixels: UInt8 = (255 * inner).permute(1, 2, 0).cpu().numpy().astype(np.uint8)
        return pixels


def _mean_of_foretold(stretch: Floats, start: int) -> float:
    """Of the odd frames both of whose neighbours are in the stretch."""
    odd = stretch[1 + start % 2 : -1 : 2]
    return float(odd.mean()) if len(odd) else float("nan")
