"""Imaging quality: MUSIQ's rating of each frame, which falls with noise, blur and wrong exposure."""

from typing import Self

import numpy as np
import torch

from benchmarks.arrays import Floats, UInt8
from benchmarks.vbench.dimension import DimensionScore, VideoInfo, mean_of_frames
from benchmarks.vbench.files import MUSIQ_SPAQ
from benchmarks.vbench.images import batches, resize, to_images
from benchmarks.vbench.musiq import Musiq, load_musiq

LONGEST_SIDE = 512
_SCALE = 100.0  # MUSIQ trained on SPAQ rates from 0 to 100


class ImagingQuality:
    """VBench's imaging_quality, 0..1: frames of at most 512 pixels, MUSIQ trained on SPAQ, over 100.

    VBench itself divides only the mean over videos by 100 and lists each video on 0..100; here every value is on 0..1.
    """

    name = "imaging_quality"
    about = "Mean rating of the frames by MUSIQ (SPAQ), over 100."
    version = "1"
    files = (MUSIQ_SPAQ,)

    def __init__(self, model: Musiq, device: str | torch.device = "cpu") -> None:
        self._model, self._device = model.to(device), device

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> Self:
        """With the published weights.

        Raises:
            ValueError: the weight file is missing or another one.
        """
        return cls(load_musiq(), device)

    def begin(self, video: VideoInfo) -> None:
        self._blocks: list[Floats] = []

    @torch.inference_mode()
    def feed(self, frames: UInt8) -> None:
        height, width = frames.shape[1:3]
        scale = min(1.0, LONGEST_SIDE / max(height, width))
        images = resize(to_images(frames), (int(scale * height), int(scale * width))) / 255
        scores = torch.cat([self._model(batch) for batch in batches(images, self._device)])
        self._blocks.append(scores.double().cpu().numpy() / _SCALE)

    def end(self) -> DimensionScore:
        return DimensionScore(weight=1.0, frames=np.concatenate(self._blocks), rule=mean_of_frames)
