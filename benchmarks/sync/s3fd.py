"""S3FD, the face detector (Zhang et al., "S3FD: Single Shot Scale-invariant Face Detector", ICCV 2017).

A VGG-16 whose feature maps at strides 4 to 128 each look for faces of one size. The tensor names are those of the
published `sfd_face.pth`, the settings those of syncnet_python. Frames are RGB uint8 [B, H, W, 3]; the network sees a
quarter of their size.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.ops import nms

from benchmarks.arrays import Floats, UInt8
from benchmarks.sync.files import S3FD_WEIGHTS
from benchmarks.sync.resize import quarter
from benchmarks.vbench.images import batches, to_images

CONFIDENCE = 0.9
MIN_SIDE = 112  # of a frame: below it, the coarser feature maps of a quarter of it are empty
_MEAN = (123.0, 117.0, 104.0)
_VGG = (64, 64, "half", 128, 128, "half", 256, 256, 256, "half up", 512, 512, 512, "half", 512, 512, 512, "half")
_SOURCES = (16, 23, 30, 35)  # ends of the parts of the VGG whose maps are looked at
_WIDTHS = (256, 512, 512, 1024, 512, 256)
_STRIDES = (4, 8, 16, 32, 64, 128)
_ANCHOR = 4  # an anchor is as wide as four strides
_VARIANCES = (0.1, 0.2)
_NORM_EPS = 1e-10
# Overlapping boxes are thinned within the detector, and once more, harder, afterwards.
_FIRST_OVERLAP, _SECOND_OVERLAP = 0.3, 0.1
_MOST_FACES = 750


class S3fd(nn.Module):
    """Images [B, 3, h, w] on 0..255 minus the mean -> boxes [B, P, 4] in pixels of the image and confidences [B, P]."""

    def __init__(self) -> None:
        super().__init__()
        self.vgg = nn.ModuleList(_vgg())
        self.L2Norm3_3 = _L2Norm(256, 10.0)
        self.L2Norm4_3 = _L2Norm(512, 8.0)
        self.L2Norm5_3 = _L2Norm(512, 5.0)
        self.extras = nn.ModuleList(
            [
                nn.Conv2d(1024, 256, 1),
                nn.Conv2d(256, 512, 3, stride=2, padding=1),
                nn.Conv2d(512, 128, 1),
                nn.Conv2d(128, 256, 3, stride=2, padding=1),
            ]
        )
        self.loc = nn.ModuleList(nn.Conv2d(width, 4, 3, padding=1) for width in _WIDTHS)
        # At the finest map, three of the four outputs are kinds of background, of which the strongest counts.
        self.conf = nn.ModuleList(nn.Conv2d(width, 4 if i == 0 else 2, 3, padding=1) for i, width in enumerate(_WIDTHS))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        boxes, confidences = [], []
        for stride, source, loc, conf in zip(_STRIDES, self._sources(images), self.loc, self.conf, strict=True):
            boxes.append(decode(loc(source), stride))
            scores = conf(source)
            background = scores[:, :-1].amax(dim=1, keepdim=True)
            shares = torch.cat([background, scores[:, -1:]], dim=1).softmax(dim=1)
            confidences.append(shares[:, 1].flatten(1))
        return torch.cat(boxes, dim=1), torch.cat(confidences, dim=1)

    def _sources(self, images: Tensor) -> Iterator[Tensor]:
        """The six feature maps, from the finest on."""
        maps = images
        norms = (self.L2Norm3_3, self.L2Norm4_3, self.L2Norm5_3, nn.Identity())
        for (start, end), norm in zip(pairwise((0, *_SOURCES)), norms, strict=True):
            for layer in self.vgg[start:end]:
                maps = layer(maps)
            yield norm(maps)
        for shrink, look in zip(self.extras[::2], self.extras[1::2], strict=True):
            maps = look(shrink(maps).relu()).relu()
            yield maps


class FaceDetector:
    """Frames -> the faces of each."""

    def __init__(self, model: S3fd, device: str | torch.device = "cpu") -> None:
        self._model, self._device = model.to(device).eval().requires_grad_(False), device

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> "FaceDetector":
        """With the published weights.

        Raises:
            ValueError: the weight file is missing or another one.
        """
        model = S3fd()
        S3FD_WEIGHTS.load_into(model, S3FD_WEIGHTS.read())
        return cls(model, device)

    @torch.inference_mode()
    def __call__(self, frames: UInt8) -> list[Floats]:
        """Each frame's boxes [N, 4] (left, top, right, bottom) in its pixels, the surest first.

        Raises:
            ValueError: frames with a side of fewer than 112 pixels.
        """
        height, width = frames.shape[1:3]
        if min(height, width) < MIN_SIDE:
            raise ValueError(
                f"video: received frames of {width} x {height} pixels, expected at least {MIN_SIDE} a side to find faces "
                "in; enlarge the video"
            )
        images = to_images(np.stack([quarter(frame) for frame in frames])) - torch.tensor(_MEAN).view(3, 1, 1)
        scale = np.array([width, height, width, height]) / np.array([*images.shape[:1:-1]] * 2)
        found = []
        for batch in batches(images, self._device):
            found += [thinned(*one).cpu().double().numpy() * scale for one in zip(*self._model(batch), strict=True)]
        return found


def decode(offsets: Tensor, stride: int) -> Tensor:
    """The boxes [B, h w, 4] (left, top, right, bottom) in pixels that a map [B, 4, h, w] of a head tells.

    Of each cell's anchor, a square of 4 strides about its middle, a box differs by 0.1 times the offsets (x, y) of its
    middle, in anchors, and by exp of 0.2 times those (width, height) of its sides.
    """
    _, _, height, width = offsets.shape
    side = _ANCHOR * stride
    y, x = torch.meshgrid(
        *(torch.arange(cells, dtype=offsets.dtype, device=offsets.device) for cells in (height, width)), indexing="ij"
    )
    middles = (torch.stack([x, y]) + 0.5) * stride + offsets[:, :2] * (_VARIANCES[0] * side)
    halves = (offsets[:, 2:] * _VARIANCES[1]).exp() * side / 2
    return torch.cat([middles - halves, middles + halves], dim=1).flatten(2).mT


def thinned(boxes: Tensor, confidences: Tensor) -> Tensor:
    """Of one image's boxes [P, 4] those [N, 4] surer than 0.9, without those that overlap surer ones; the surest first."""
    sure = confidences > CONFIDENCE
    boxes, confidences = boxes[sure], confidences[sure]
    for most_overlap in (_FIRST_OVERLAP, _SECOND_OVERLAP):
        kept = nms(boxes, confidences, most_overlap)[:_MOST_FACES]
        boxes, confidences = boxes[kept], confidences[kept]
    return boxes


class _L2Norm(nn.Module):
    """Each pixel's channels to length 1, times a learned scale."""

    def __init__(self, channels: int, scale: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), scale))

    def forward(self, maps: Tensor) -> Tensor:
        length = maps.square().sum(dim=1, keepdim=True).sqrt() + _NORM_EPS
        return self.weight[:, None, None] * (maps / length)


def _vgg() -> Iterator[nn.Module]:
    width = 3
    for part in _VGG:
        if isinstance(part, str):
            yield nn.MaxPool2d(2, ceil_mode=part == "half up")
            continue
        yield nn.Conv2d(width, part, 3, padding=1)
        yield nn.ReLU(inplace=True)
        width = part
    yield nn.Conv2d(width, 1024, 3, padding=6, dilation=6)
    yield nn.ReLU(inplace=True)
    yield nn.Conv2d(1024, 1024, 1)
    yield nn.ReLU(inplace=True)
