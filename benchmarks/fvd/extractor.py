"""The extractor: frames as I3D sees them, and its logits, with the weights of either published file.

Resize rules, each to 224 x 224 bilinearly with half-pixel centres:
- stretch: height and width each on its own, not antialiased (cd-fvd on arrays; after TF-GAN's). The default.
- crop: the short side to 224, not antialiased, then the middle (common_metrics_on_video_quality).
- crop256: the short side to 256, antialiased, the middle, rounded down to whole levels, then stretched (cd-fvd on folders).
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.arrays import Floats, UInt8
from benchmarks.fvd.distance import FeatureSet, Resize
from benchmarks.fvd.files import I3D_TORCHSCRIPT, found_file
from benchmarks.fvd.i3d import CLASSES, I3d
from benchmarks.fvd.windows import FRAMES
from benchmarks.weights import WeightFile

SIDE = 224
_LARGER_SIDE = 256


class Extractor:
    """Features of clips. `name` and `sha256` are those of the weights' file.

    `network` maps clips [B, 3, 16, 224, 224] on -1..1 to logits [B, 400].

    Raises:
        ValueError: an unknown resize rule.
    """

    def __init__(
        self, network: nn.Module, name: str, sha256: str, resize: Resize = "stretch", device: str | torch.device = "cpu"
    ) -> None:
        if resize not in _RULES:
            raise ValueError(f"resize rule: received {resize!r}, expected one of {', '.join(_RULES)}")
        self.name, self.sha256, self.resize = name, sha256, resize
        self._network, self._device = network.eval().to(device), device

    @classmethod
    def load(
        cls, file: WeightFile | None = None, resize: Resize = "stretch", device: str | torch.device = "cpu"
    ) -> Self:
        """With the published weights: `I3D_WEIGHTS` or `I3D_TORCHSCRIPT`, else the first of them that is there.

        Raises:
            ValueError: the file is missing or holds something else, or an unknown resize rule.
        """
        file = file or found_file()
        network = ScriptedI3d(file.find()) if file == I3D_TORCHSCRIPT else I3d.load(file)
        return cls(network, file.name, file.sha256(), resize, device)

    @torch.inference_mode()
    def images(self, frames: UInt8) -> Tensor:
        """RGB [B, H, W, 3] -> [B, 3, 224, 224] on -1..1, on the extractor's device."""
        images = torch.tensor(frames, device=self._device).permute(0, 3, 1, 2).contiguous().float()
        return 2.0 * _RULES[self.resize](images) / 255.0 - 1.0

    @torch.inference_mode()
    def logits(self, clips: Tensor) -> Floats:
        """Clips [B, 3, 16, 224, 224] as `images` gives frames -> [B, 400].

        Raises:
            ValueError: clips of another shape, or a network that gives something else.
        """
        expected = (3, FRAMES, SIDE, SIDE)
        if clips.ndim != 5 or tuple(clips.shape[1:]) != expected:
            raise ValueError(f"clips: received {tuple(clips.shape)}, expected [B, {', '.join(map(str, expected))}]")
        logits: Tensor = self._network(clips.to(self._device))
        if logits.shape != (len(clips), CLASSES):
            raise ValueError(
                f"{self.name}: received an output of {tuple(logits.shape)} for {len(clips)} clips, expected [B, {CLASSES}] of "
                "an I3D for Kinetics-400"
            )
        return logits.double().cpu().numpy()

    def feature_set(self, features: Floats, stride: int, resolution: tuple[int, int]) -> FeatureSet:
        """Features [n, 400] of clips with that stride, from frames of that height and width, with how they were made."""
        return FeatureSet(features, self.name, self.sha256, self.resize, FRAMES, stride, resolution)


class ScriptedI3d(nn.Module):
    """StyleGAN-V's I3D: a program in TorchScript with its weights; it is given clips that are resized and scaled already.

    Raises:
        ValueError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        try:
            self.program: Any = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError) as error:
            raise ValueError(
                f"weights {path}: received an unreadable file ({error}), expected a TorchScript I3D"
            ) from error

    def forward(self, clips: Tensor) -> Tensor:
        logits: Tensor = self.program(clips, rescale=False, resize=False, return_features=True)
        return logits


def _stretch(images: Tensor) -> Tensor:
    return _bilinear(images, (SIDE, SIDE))


def _crop(images: Tensor) -> Tensor:
    return _centre(_bilinear(images, _short_side(images, SIDE)), SIDE)


def _crop256(images: Tensor) -> Tensor:
    larger = _bilinear(images / 255.0, _short_side(images, _LARGER_SIDE), antialias=True)
    return _stretch((255 * _centre(larger, _LARGER_SIDE)).byte().float())


_RULES: dict[Resize, Callable[[Tensor], Tensor]] = {"stretch": _stretch, "crop": _crop, "crop256": _crop256}
assert set(_RULES) == set(get_args(Resize))


def _bilinear(images: Tensor, size: tuple[int, int], antialias: bool = False) -> Tensor:
    return functional.interpolate(images, size=size, mode="bilinear", align_corners=False, antialias=antialias)


def _short_side(images: Tensor, side: int) -> tuple[int, int]:
    """The size whose short side is `side` and whose long side follows, rounded up."""
    height, width = images.shape[-2:]
    scale = side / min(height, width)
    return (side, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), side)


def _centre(images: Tensor, side: int) -> Tensor:
    top, left = ((length - side) // 2 for length in images.shape[-2:])
    return images[..., top : top + side, left : left + side]
