"""Dynamic degree: does the video move, by the fastest twentieth of its optical flow?"""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.arrays import Floats, UInt8
from benchmarks.vbench.dimension import DimensionScore, VideoInfo
from benchmarks.vbench.files import RAFT_THINGS
from benchmarks.vbench.images import to_images
from benchmarks.vbench.raft import Raft, check_size, padding

SAMPLED_FPS = 8  # every round(fps / 8)-th frame is looked at
FASTEST_SHARE = 0.05
THRESHOLD = 6.0 / 256  # of the short side
MOVING_SHARE = 4 / 16  # of the sampled frames
_MULTIPLE = 8


class DynamicDegree:
    """VBench's dynamic_degree, 1.0 or 0.0: a pair of neighbouring sampled frames moves if the mean of the top 5 % of
    RAFT's flow magnitudes exceeds 6/256 of the short side; a video is dynamic if a quarter of its frames' pairs move.

    With `curve` every pair is measured; without it no more flow is computed once the answer stands, which is the same,
    and `of` gives NaN for a stretch whose own answer would need the pairs left out.
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
        self._answer = _Answer(self._stride, THRESHOLD * min(video.height, video.width))
        self._padding = padding(video.height, video.width, _MULTIPLE)
        self._magnitudes = np.full(video.frames, np.nan)
        self._seen = 0
        self._last: tuple[Tensor, Tensor] | None = None

    @torch.inference_mode()
    def feed(self, frames: UInt8) -> None:
        first = -self._seen % self._stride
        for index in range(first, len(frames), self._stride):
            if self._curve or np.isnan(self._answer(self._magnitudes, 0)):
                self._measure(self._seen + index, frames[index : index + 1])
        self._seen += len(frames)

    def end(self) -> DimensionScore:
        """The score.

        Raises:
            ValueError: not as many frames as announced.
        """
        if self._seen != self._video.frames:
            raise ValueError(f"{self._video.name}: received {self._seen} frames, expected {self._video.frames}")
        return DimensionScore(weight=1.0, frames=self._magnitudes, rule=self._answer)

    def _measure(self, index: int, frame: UInt8) -> None:
        image = functional.pad(to_images(frame).to(self._device), self._padding, mode="replicate")
        features = self._model.features(image)
        if self._last is not None:
            self._magnitudes[index] = _fastest(self._model(*self._last, features))
        self._last = image, features


@dataclass(frozen=True)
class _Answer:
    """Whether a stretch is dynamic, by its magnitudes at every `stride`-th frame, in pixels as `threshold` is."""

    stride: int
    threshold: float

    def __call__(self, stretch: Floats, start: int) -> float:
        """1.0, 0.0, or NaN as long as the pairs not yet measured could change it; NaN too if no frame is sampled."""
        sampled = stretch[-start % self.stride :: self.stride]
        pairs = sampled[1:]  # the first one's magnitude leads here from before the stretch
        if not len(pairs):
            return 0.0 if len(sampled) else float("nan")
        needed = round(MOVING_SHARE * len(sampled))
        moving, unknown = np.sum(pairs > self.threshold), np.sum(np.isnan(pairs))
        if moving >= needed:
            return 1.0
        return float("nan") if moving + unknown >= needed else 0.0


def _fastest(flow: Tensor) -> float:
    """Mean of the largest twentieth of the magnitudes of a flow [1, 2, H, W]."""
    magnitudes = np.sqrt(np.square(flow[0].cpu().numpy()).sum(axis=0)).ravel()
    # Sorted and added up from the top in float32, as VBench does: another order rounds otherwise.
    return float(np.sort(magnitudes)[::-1][: int(FASTEST_SHARE * magnitudes.size)].mean())
