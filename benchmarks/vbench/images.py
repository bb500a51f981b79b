"""Frames as images for a model: float tensors [B, 3, H, W], resized and normalised as torchvision does on tensors.

VBench resizes float tensors without antialiasing and does not clamp what bicubic interpolation overshoots.
"""

from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.arrays import UInt8

Triple = tuple[float, float, float]
Mode = Literal["bilinear", "bicubic"]


def to_images(frames: UInt8) -> Tensor:
    """RGB uint8 [B, H, W, 3] -> float32 [B, 3, H, W] on 0..255, in the frames' own memory order."""
    return torch.from_numpy(frames.astype(np.float32)).permute(0, 3, 1, 2)


def resize(images: Tensor, size: tuple[int, int], mode: Mode = "bilinear") -> Tensor:
    """To `size` (height, width); images of that size stay as they are."""
    if images.shape[-2:] == size:
        return images
    return functional.interpolate(images, size=size, mode=mode, align_corners=False, antialias=False)


def resize_short_side(images: Tensor, side: int, mode: Mode = "bilinear") -> Tensor:
    """The short side to `side` pixels, the long one in proportion, rounded down."""
    height, width = images.shape[-2:]
    short, long = sorted((height, width))
    scaled = int(side * long / short)
    return resize(images, (side, scaled) if height == short else (scaled, side), mode)


def centre_crop(images: Tensor, side: int) -> Tensor:
    """The middle `side` x `side` pixels; half a pixel is rounded to even."""
    top, left = (round((length - side) / 2) for length in images.shape[-2:])
    return images[..., top : top + side, left : left + side]


def normalise(images: Tensor, mean: Triple, deviation: Triple) -> Tensor:
    """From 0..255 to 0..1, then each channel minus its `mean` over its `deviation`."""
    columns = [images.new_tensor(values).view(3, 1, 1) for values in (mean, deviation)]
    return (images / 255 - columns[0]) / columns[1]


def batches(images: Tensor, device: str | torch.device) -> Iterator[Tensor]:
    """The images on `device`, all at once; on a CPU one by one, which is no slower and rounds as VBench does."""
    size = 1 if torch.device(device).type == "cpu" else len(images)
    for start in range(0, len(images), size):
        yield images[start : start + size].to(device)
