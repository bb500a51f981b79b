"""Subject consistency: how like the frames are in DINO's features."""

from typing import Self

import torch

from benchmarks.arrays import UInt8
from benchmarks.vbench.consistency import Consistency
from benchmarks.vbench.dimension import DimensionScore, VideoInfo
from benchmarks.vbench.dino import Dino, load_dino
from benchmarks.vbench.files import DINO_WEIGHTS
from benchmarks.vbench.images import batches, normalise, resize_short_side, to_images

SIDE = 224
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class SubjectConsistency:
    """VBench's subject_consistency, 0..1: the short side to 224 bilinearly, nothing cropped, DINO ViT-B/16."""

    name = "subject_consistency"
    about = "Mean cosine of DINO features with the frame before and with the first; 1 for a still video."
    version = "1"
    files = (DINO_WEIGHTS,)

    def __init__(self, model: Dino, device: str | torch.device = "cpu") -> None:
        self._model, self._device = model.to(device), device

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> Self:
        """With the published weights.

        Raises:
            ValueError: the weight file is missing or another one.
        """
        return cls(load_dino(), device)

    def begin(self, video: VideoInfo) -> None:
        self._consistency = Consistency()

    @torch.inference_mode()
    def feed(self, frames: UInt8) -> None:
        images = normalise(resize_short_side(to_images(frames), SIDE), MEAN, DEVIATION)
        self._consistency.add(torch.cat([self._model(batch) for batch in batches(images, self._device)]))

    def end(self) -> DimensionScore:
        return self._consistency.score()
