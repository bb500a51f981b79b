"""Dynamic degree: does the video move, by the fastest twentieth of its optical flow?"""

from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.vbench.dimension import DimensionScore, UInt8, VideoInfo
from benchmarks.vbench.images import to_images
from benchmarks.vbench.raft import RAFT_THINGS, Raft, check_size, padding

SAMPLED_FPS = 8  # every round(fps / 8)-th frame is looked at
FASTEST_SHARE = 0.05
THRESHOLD = 6.0 / 256  # of the short side
MOVING_SHARE = 4 / 16  # of the sampled frames
_MULTIPLE = 8


class DynamicDegree:
    """VBench's dynamic_degree, 1.0 or 0.0: a pair of neighbouring sampled frames moves if the mean of the top 5 % of
    RAFT's flow magnitudes exceeds 6/256 of the short side; a video is dynamic if a quarter of its frames' pairs move.

    With `curve` every pair is measured; without it no more flow is computed once the answer stands, which is the same.
    A frame's value is the magnitude, in pixels, from the sampled frame before it.
    """

    name = "dynamic_degree"
    about = "1 if at least a quarter of the sampled frames moved fast since the one before, else 0."
    version = "1"
    files = (RAFT_THINGS,)

    def __init__(self, model: Raft, device: str | torch.device = "cpu", curve: bool = True) -> None:
        self._model, self._device, self._curve = model.to(device).requires_grad_(False), device, curve

    @classmethod
    def load(cls, device: str | torch.device = "cpu", curve: bool = True) -> Self:
        """With the published weights.

        Raises:
            ValueError: the weight file is missing or another one.
        """
        return cls(Raft.load(), device, curve)

    def begin(self, video: VideoInfo) -> None:
        """Start a video.

        Raises:
            ValueError: frames that are too small for RAFT.
        """
        check_size("RAFT", video.height, video.width, _MULTIPLE)
        self._video = video
        self._stride = max(1, round(video.fps / SAMPLED_FPS))
        self._sampled = len(range(0, video.frames, self._stride))
        self._needed = round(MOVING_SHARE * self._sampled)
        self._threshold = THRESHOLD * min(video.height, video.width)
        self._padding = padding(video.height, video.width, _MULTIPLE)
        self._magnitudes = np.full(video.frames, np.nan)
        self._seen = self._moving = self._measured = 0
        self._last: tuple[Tensor, Tensor] | None = None

    @torch.inference_mode()
    def feed(self, frames: UInt8) -> None:
        first = -self._seen % self._stride
        for index in range(first, len(frames), self._stride):
            if self._curve or not self._decided:
                self._measure(self._seen + index, frames[index : index + 1])
        self._seen += len(frames)

    def end(self) -> DimensionScore:
        """The score.

        Raises:
            ValueError: not as many frames as announced.
        """
        if self._seen != self._video.frames:
            raise ValueError(f"{self._video.name}: received {self._seen} frames, expected {self._video.frames}")
        dynamic = self._sampled > 1 and self._moving >= self._needed
        return DimensionScore(value=float(dynamic), weight=1.0, frames=self._magnitudes)

    @property
    def _decided(self) -> bool:
        """Whether the pairs still to come cannot change the answer."""
        pairs_left = self._sampled - 1 - self._measured
        return self._moving >= self._needed or self._moving + pairs_left < self._needed

    def _measure(self, index: int, frame: UInt8) -> None:
        image = functional.pad(to_images(frame).to(self._device), self._padding, mode="replicate")
        features = self._model.features(image)
        if self._last is not None:
            flow = self._model(*self._last, features)
            self._magnitudes[index] = _fastest(flow)
            self._moving += bool(self._magnitudes[index] > self._threshold)
            self._measured += 1
        self._last = image, features


def _fastest(flow: Tensor) -> float:
    """Mean of the largest twentieth of the magnitudes of a flow [1, 2, H, W]."""
    magnitudes = np.sqrt(np.square(flow[0].cpu().numpy()).sum(axis=0)).ravel()
    # Sorted and added up from the top in float32, as VBench does: another order rounds otherwise.
    return float(np.sort(magnitudes)[::-1][: int(FASTEST_SHARE * magnitudes.size)].mean())
