"""Aesthetic quality: LAION's linear aesthetic predictor on CLIP's features."""

from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from benchmarks.arrays import Floats, UInt8
from benchmarks.vbench.clip import ClipImages, ClipTower
from benchmarks.vbench.dimension import DimensionScore, VideoInfo, mean_of_frames
from benchmarks.vbench.files import LAION_LINEAR, VIT_L_14

WIDTH = 768
_SCALE = 10.0  # the predictor rates from 1 to 10


class AestheticQuality:
    """VBench's aesthetic_quality, about 0..1: CLIP ViT-L/14 of the middle square, then one linear layer, over 10."""

    name = "aesthetic_quality"
    about = "Mean rating of the frames by LAION's aesthetic predictor, over 10."
    version = "1"
    files = (VIT_L_14, LAION_LINEAR)

    def __init__(self, tower: ClipTower, linear: nn.Linear, images: ClipImages) -> None:
        self._tower, self._linear, self._images = tower, linear, images

    @classmethod
    def load(cls, device: str | torch.device = "cpu", images: ClipImages | None = None) -> Self:
        """With the published weights; `images` may be shared with another dimension that uses CLIP.

        Raises:
            ValueError: a weight file is missing or another one.
        """
        linear = nn.Linear(WIDTH, 1)
        LAION_LINEAR.load_into(linear, LAION_LINEAR.read())
        tower = ClipTower(VIT_L_14, device)
        return cls(tower, linear.to(device).requires_grad_(False), images or ClipImages())

    def begin(self, video: VideoInfo) -> None:
        self._blocks: list[Floats] = []

    @torch.inference_mode()
    def feed(self, frames: UInt8) -> None:
        features = functional.normalize(self._tower.encode(self._images.of(frames)), dim=-1)
        self._blocks.append((self._linear(features).squeeze(-1) / _SCALE).double().cpu().numpy())

    def end(self) -> DimensionScore:
        return DimensionScore(weight=1.0, frames=np.concatenate(self._blocks), rule=mean_of_frames)
