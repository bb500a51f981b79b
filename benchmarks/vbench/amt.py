"""AMT-S, the interpolation that motion_smoothness trusts: it draws the frame half-way between two frames.

Source: Li et al., "AMT: All-Pairs Multi-Field Transforms for Efficient Frame Interpolation", CVPR 2023. Modules bear the
names of the tensors in the published file, except within the feature encoder, which is torchvision's (RAFT's small one).
Shapes: B pairs of frames [B, 3, H, W], H and W multiples of 16 and at least 128. "Sides" [2 B, ...] hold the first
frames' half before the second frames'; flows [B, 4, h, w] lead from the middle to the first frame and to the second.
"""

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.optical_flow._utils import make_coords_grid
from torchvision.models.optical_flow.raft import BottleneckBlock, CorrBlock, FeatureEncoder

from benchmarks.vbench.files import AMT_S
from benchmarks.vbench.raft import encoder_name

_WIDTHS = (20, 32, 44, 56)  # channels of the levels 1 to 4, at 1/2, 1/4, 1/8 and 1/16 of the size
_COARSEST = len(_WIDTHS)
_FEW = 20
_LEAK = 0.1
_FIELDS = 3
_LEVELS, _RADIUS = 4, 3
_FEATURE_ENCODER = "feat_encoder."


class AmtS(nn.Module):
    """The frame in the middle of two."""

    def __init__(self) -> None:
        super().__init__()
        self.feat_encoder = FeatureEncoder(
            block=BottleneckBlock, layers=(32, 32, 64, 96, 84), norm_layer=nn.InstanceNorm2d
        )
        self.encoder = _Pyramid()
        self.comb_block = _two_convs(3 * _FIELDS, 6 * _FIELDS, 3, nn.PReLU(6 * _FIELDS))
        for level in range(1, _COARSEST + 1):
            self.add_module(f"decoder{level}", _Decoder(level))
            if level > 1:
                self.add_module(f"update{level}", _Update(level))
        self.eval()

    @classmethod
    def load(cls) -> "AmtS":
        """The network with the weights of `AMT_S`, on the CPU.

        Raises:
            ValueError: the file is missing or holds something else.
        """
        network = cls()
        with torch.serialization.safe_globals(_numpy_scalars()):
            published = AMT_S.read()
        tensors = {
            _FEATURE_ENCODER + encoder_name(name.removeprefix(_FEATURE_ENCODER))
            if name.startswith(_FEATURE_ENCODER)
            else name: tensor
            for name, tensor in published.items()
        }
        AMT_S.load_into(network, tensors)
        return network

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """The middle [B, 3, H, W] of frames on 0..1."""
        mean = ((first + second) / 2).mean(dim=(1, 2, 3), keepdim=True)
        sides = torch.cat((first - mean, second - mean))
        correlation = _Correlation(self.feat_encoder(sides))
        pyramid = self.encoder(sides)
        coarsest = pyramid.pop()
        half_way = torch.full_like(mean, 0.5).expand(-1, -1, *coarsest.shape[-2:])
        known, flows = torch.cat((_beside(coarsest), half_way), dim=1), torch.zeros_like(mean)
        for level in range(_COARSEST, 1, -1):
            decoded = self.get_submodule(f"decoder{level}")(known)
            flows, features = flows + decoded[:, :4], decoded[:, 4:]
            flows, features = self.get_submodule(f"update{level}")(flows, features, correlation)
            finer = pyramid.pop()
            known = torch.cat((features, _beside(_warp(finer, _apart(flows))), flows), dim=1)
            flows = 2 * _resized(flows, 2)  # the same ones in an image of twice the size
        return self._blend(sides, mean, flows, self.get_submodule("decoder1")(known))

    def _blend(self, sides: Tensor, mean: Tensor, flows: Tensor, fields: Tensor) -> Tensor:
        """Full-size `fields` are changes to the flows, masks and residues of three candidates for the middle."""
        changes, masks, residues = torch.split(fields, [4 * _FIELDS, _FIELDS, 3 * _FIELDS], dim=1)
        paths = _apart(changes) + _apart(flows).repeat(1, _FIELDS, 1, 1)  # [2 B, 3 x 2, H, W]
        images = sides.repeat_interleave(_FIELDS, dim=0)
        warped = _warp(images, paths.reshape(-1, 2, *paths.shape[-2:]))
        first, second = torch.unflatten(warped, 0, (-1, _FIELDS)).chunk(2)  # each [B, 3, 3, H, W]
        share = masks.sigmoid().unsqueeze(2)
        candidates = share * first + (1 - share) * second + mean.unsqueeze(1)
        candidates = candidates + torch.unflatten(residues, 1, (_FIELDS, 3))
        change: Tensor = self.comb_block(candidates.flatten(1, 2))
        return (candidates.mean(dim=1) + change).clamp(0, 1)


class _Correlation:
    """How alike every cell of one frame is to every cell of the other, both ways, at 1/8 of the size."""

    def __init__(self, sides: Tensor) -> None:
        first, second = sides.chunk(2)
        self.volumes = CorrBlock(num_levels=_LEVELS, radius=_RADIUS)
        self.volumes.build_pyramid(sides, torch.cat((second, first)))
        self.grid = make_coords_grid(len(sides), *sides.shape[-2:], device=sides.device)

    def at(self, flows: Tensor) -> Tensor:
        """Likenesses [B, 392, h, w] around where the flows end, at 1/8 of the size.

        The motion is taken to be steady, so the way from one frame to the other is twice the way from the middle."""
        to_first, to_second = flows.chunk(2, dim=1)
        return _beside(self.volumes.index_pyramid(self.grid + 2 * torch.cat((to_second, to_first))))


class _Pyramid(nn.Module):
    """Features of frames at 1/2, 1/4, 1/8 and 1/16 of the size."""

    def __init__(self) -> None:
        super().__init__()
        for level, (before, width) in enumerate(zip((3, *_WIDTHS), _WIDTHS, strict=False), start=1):
            self.add_module(f"pyramid{level}", nn.Sequential(_conv(before, width, stride=2), _conv(width, width)))

    def forward(self, frames: Tensor) -> list[Tensor]:
        levels = [frames]
        for stage in self.children():
            levels.append(stage(levels[-1]))
        return levels[1:]


class _Decoder(nn.Module):
    """Of what is known at a level: flows and features of the next finer one, the finest the fields at full size."""

    def __init__(self, level: int) -> None:
        """The coarsest reads both frames' features and the time; the others the features of the middle, those of both
        frames brought there, and the flows."""
        super().__init__()
        width = _WIDTHS[level - 1] * (2 if level == _COARSEST else 3)
        received = width + (1 if level == _COARSEST else 4)
        given = 8 * _FIELDS if level == 1 else _WIDTHS[level - 2] + 4
        upwards = nn.ConvTranspose2d(width, given, 4, stride=2, padding=1)
        self.convblock = nn.Sequential(_conv(received, width), _Residual(width), upwards)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.convblock(inputs)
        return outputs


class _Residual(nn.Module):
    """Five convolutions beside a shortcut; the second and fourth change the last 20 channels only."""

    def __init__(self, width: int) -> None:
        super().__init__()
        for number in range(1, 5):
            channels = width if number % 2 else _FEW
            self.add_module(f"conv{number}", _conv(channels, channels))
        self.conv5 = nn.Conv2d(width, width, 3, padding=1)
        self.prelu = nn.PReLU(width)

    def forward(self, inputs: Tensor) -> Tensor:
        inner = inputs
        for number in (1, 3):
            inner = self.get_submodule(f"conv{number}")(inner)
            few = self.get_submodule(f"conv{number + 1}")(inner[:, -_FEW:])
            inner = torch.cat((inner[:, :-_FEW], few), dim=1)
        outputs: Tensor = self.prelu(inputs + self.conv5(inner))
        return outputs


class _Update(nn.Module):
    """Corrects the flows and features that a decoder gave, by what correlates where the flows end."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self.finer = 2 ** (_COARSEST - level)  # how much larger the decoder's maps are than the correlation's
        width, likenesses = _WIDTHS[level - 2], 2 * _LEVELS * (2 * _RADIUS + 1) ** 2
        for name, received, given, size in (
            ("convc1", likenesses, 64, 1), ("convf1", 4, 40, 7), ("convf2", 40, 20, 3), ("conv", 64 + 20, 68, 3),
        ):  # fmt: skip
            self.add_module(name, nn.Conv2d(received, given, size, padding=size // 2))
        for name, received, given in (("gru", 68 + 4 + width, 76), ("feat_head", 76, width), ("flow_head", 76, 4)):
            self.add_module(name, _two_convs(received, 76, given, nn.LeakyReLU(_LEAK)))

    def forward(self, flows: Tensor, features: Tensor, correlation: _Correlation) -> tuple[Tensor, Tensor]:
        flows_there = _resized(flows, 1 / self.finer) / self.finer
        path = self._seen("convf2", self._seen("convf1", flows_there))
        motion = self._seen("conv", torch.cat((self._seen("convc1", correlation.at(flows_there)), path), dim=1))
        known = torch.cat((motion, flows_there, _resized(features, 1 / self.finer)), dim=1)
        state = self.get_submodule("gru")(known)
        flow_change, feature_change = (
            _resized(self.get_submodule(head)(state), self.finer) for head in ("flow_head", "feat_head")
        )
        return flows + self.finer * flow_change, features + feature_change

    def _seen(self, name: str, inputs: Tensor) -> Tensor:
        return functional.leaky_relu(self.get_submodule(name)(inputs), _LEAK)


def _numpy_scalars() -> list[Any]:
    """What torch must let pass in the published file, which holds the optimiser's numpy numbers beside the tensors;
    numpy's module has another name since version 2."""
    scalar = np.float64(0).__reduce__()[0]
    return [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, type(np.dtype(np.float64))]


def _conv(received: int, given: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(received, given, 3, stride=stride, padding=1), nn.PReLU(given))


def _two_convs(received: int, width: int, given: int, between: nn.Module) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(received, width, 3, padding=1), between, nn.Conv2d(width, given, 3, padding=1))


def _resized(maps: Tensor, factor: float) -> Tensor:
    return functional.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=False)


def _beside(sides: Tensor) -> Tensor:
    """[2 B, C, h, w] -> [B, 2 C, h, w]."""
    return torch.cat(sides.chunk(2), dim=1)


def _apart(pairs: Tensor) -> Tensor:
    """[B, 2 C, h, w] -> [2 B, C, h, w]."""
    return torch.cat(pairs.chunk(2, dim=1))


def _warp(images: Tensor, flow: Tensor) -> Tensor:
    """Images [N, C, h, w] read at each pixel's end of `flow` [N, 2, h, w]; beyond the rim, its nearest pixel."""
    # In -1..1 from the first pixel's centre to the last one's; this order of rounding is VBench's.
    columns, rows = (torch.linspace(-1, 1, size, device=flow.device) for size in (images.shape[-1], images.shape[-2]))
    starts = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
    half = flow.new_tensor(images.shape[:-3:-1]).sub(1).div(2).view(2, 1, 1)
    ends = (starts + flow / half).permute(0, 2, 3, 1)
    return functional.grid_sample(images, ends, padding_mode="border", align_corners=True)
