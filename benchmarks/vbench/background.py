"""Background consistency: how like the frames are in CLIP's features."""

from typing import Self

import torch

from benchmarks.arrays import UInt8
from benchmarks.vbench.clip import ClipImages, ClipTower
from benchmarks.vbench.consistency import Consistency
from benchmarks.vbench.dimension import DimensionScore, VideoInfo
from benchmarks.vbench.files import VIT_B_32


class BackgroundConsistency:
    """VBench's background_consistency, 0..1: CLIP ViT-B/32 of the whole middle square."""

    name = "background_consistency"
    about = "Mean cosine of CLIP features with the frame before and with the first; 1 for a still video."
    version = "1"
    files = (VIT_B_32,)

    def __init__(self, tower: ClipTower, images: ClipImages) -> None:
        self.tower, self.images = tower, images

    @classmethod
    def load(cls, device: str | torch.device = "cpu", images: ClipImages | None = None) -> Self:
        """With the published weights; `images` may be shared with another dimension that uses CLIP.

        Raises:
            ValueError: the weight file is missing or another one.
        """
        return cls(ClipTower(VIT_B_32, device), images or ClipImages())

    def begin(self, video: VideoInfo) -> None:
        self._consistency = Consistency()

    @torch.inference_mode()
    def feed(self, frames: UInt8) -> None:
        self._consistency.add(self.tower.encode(self.images.of(frames)))

    def end(self) -> DimensionScore:
        return self._consistency.score()
