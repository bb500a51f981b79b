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
from torchvision.models.optical_flow.raft import BottleneckBlock, CorrBlock, FeatureEncoder

from benchmarks.vbench.raft import encoder_name, pixel_grid
from benchmarks.vbench.weights import WeightFile

AMT_S = WeightFile(
    "amt_model", "amt-s.pth", "CC-BY-NC-4.0 (no commercial use)", "huggingface.co/lalala125/AMT, file amt-s.pth"
)
_WIDTHS = (20, 32, 44, 56)  # channels at 1/2, 1/4, 1/8, 1/16 of the size
_SIDE_WIDTH = 20
_FIELDS = 3
_LEVELS, _RADIUS = 4, 3
_FEATURE_ENCODER = "feat_encoder."


class AmtS(nn.Module):
    """The frame in the middle of two."""

    def __init__(self) -> None:
        super().__init__()
        half, quarter, eighth, sixteenth = _WIDTHS
        self.feat_encoder = FeatureEncoder(
            block=BottleneckBlock, layers=(32, 32, 64, 96, 84), norm_layer=nn.InstanceNorm2d
        )
        self.encoder = _Pyramid()
        self.decoder4 = _Decoder(2 * sixteenth + 1, 2 * sixteenth, eighth + 4)
        self.decoder3 = _Decoder(3 * eighth + 4, 3 * eighth, quarter + 4)
        self.decoder2 = _Decoder(3 * quarter + 4, 3 * quarter, half + 4)
        self.decoder1 = _Decoder(3 * half + 4, 3 * half, 8 * _FIELDS)
        self.update4 = _Update(eighth, finer=1)
        self.update3 = _Update(quarter, finer=2)
        self.update2 = _Update(half, finer=4)
        self.comb_block = nn.Sequential(
            nn.Conv2d(3 * _FIELDS, 6 * _FIELDS, 3, padding=1),
            nn.PReLU(6 * _FIELDS),
            nn.Conv2d(6 * _FIELDS, 3, 3, padding=1),
        )
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
        halves, quarters, eighths, sixteenths = self.encoder(sides)
        time = torch.full_like(mean, 0.5).expand(-1, -1, *sixteenths.shape[-2:])
        flows, features = _split(self.decoder4(torch.cat((_beside(sixteenths), time), dim=1)))
        flows, features = self.update4(flows, features, correlation)
        for decoder, update, level in ((self.decoder3, self.update3, eighths), (self.decoder2, self.update2, quarters)):
            change, features = _split(decoder(_warped_input(features, level, flows)))
            flows, features = update(_doubled(flows) + change, features, correlation)
        fields = self.decoder1(_warped_input(features, halves, flows))
        return self._blend(sides, mean, _doubled(flows), fields)

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
        self.grid = pixel_grid(sides)

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
    """[B, received, h, w] -> [B, given, 2 h, 2 w]."""

    def __init__(self, received: int, width: int, given: int) -> None:
        super().__init__()
        self.convblock = nn.Sequential(
            _conv(received, width), _Residual(width), nn.ConvTranspose2d(width, given, 4, stride=2, padding=1)
        )

    def forward(self, inputs: Tensor) -> Tensor:
        outputs: Tensor = self.convblock(inputs)
        return outputs


class _Residual(nn.Module):
    """Five convolutions beside a shortcut; the second and fourth change the last 20 channels only."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv3 = _conv(width, width), _conv(width, width)
        self.conv2, self.conv4 = _conv(_SIDE_WIDTH, _SIDE_WIDTH), _conv(_SIDE_WIDTH, _SIDE_WIDTH)
        self.conv5 = nn.Conv2d(width, width, 3, padding=1)
        self.prelu = nn.PReLU(width)

    def forward(self, inputs: Tensor) -> Tensor:
        inner = inputs
        for whole, part in ((self.conv1, self.conv2), (self.conv3, self.conv4)):
            inner = whole(inner)
            inner = torch.cat((inner[:, :-_SIDE_WIDTH], part(inner[:, -_SIDE_WIDTH:])), dim=1)
        outputs: Tensor = self.prelu(inputs + self.conv5(inner))
        return outputs


class _Update(nn.Module):
    """Corrects the flows and features of a level, `finer` times as large as the correlation's, by what correlates."""

    def __init__(self, width: int, finer: int) -> None:
        super().__init__()
        self.finer = finer
        self.convc1 = nn.Conv2d(2 * _LEVELS * (2 * _RADIUS + 1) ** 2, 64, 1)
        self.convf1 = nn.Conv2d(4, 40, 7, padding=3)
        self.convf2 = nn.Conv2d(40, 20, 3, padding=1)
        self.conv = nn.Conv2d(64 + 20, 68, 3, padding=1)
        self.gru = _two_convs(68 + 4 + width, 76)
        self.feat_head = _two_convs(76, width)
        self.flow_head = _two_convs(76, 4)

    def forward(self, flows: Tensor, features: Tensor, correlation: _Correlation) -> tuple[Tensor, Tensor]:
        small_flows = _resized(flows, 1 / self.finer) / self.finer
        likeness = _leaky(self.convc1(correlation.at(small_flows)))
        motion = _leaky(self.convf2(_leaky(self.convf1(small_flows))))
        motion = _leaky(self.conv(torch.cat((likeness, motion), dim=1)))
        state = self.gru(torch.cat((motion, small_flows, _resized(features, 1 / self.finer)), dim=1))
        flow_change = self.finer * _resized(self.flow_head(state), self.finer)
        return flows + flow_change, features + _resized(self.feat_head(state), self.finer)


def _numpy_scalars() -> list[Any]:
    """What torch must let pass in the published file, which holds the optimiser's numpy numbers beside the tensors;
    numpy's module has another name since version 2."""
    scalar = np.float64(0).__reduce__()[0]
    return [(scalar, "numpy.core.multiarray.scalar"), scalar, np.dtype, type(np.dtype(np.float64))]


def _conv(received: int, given: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(received, given, 3, stride=stride, padding=1), nn.PReLU(given))


def _two_convs(received: int, given: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(received, 76, 3, padding=1), nn.LeakyReLU(0.1), nn.Conv2d(76, given, 3, padding=1))


def _leaky(inputs: Tensor) -> Tensor:
    return functional.leaky_relu(inputs, 0.1)


def _resized(maps: Tensor, factor: float) -> Tensor:
    return functional.interpolate(maps, scale_factor=factor, mode="bilinear", align_corners=False)


def _doubled(flows: Tensor) -> Tensor:
    """The same flows in an image of twice the size."""
    return 2 * _resized(flows, 2)


def _split(decoded: Tensor) -> tuple[Tensor, Tensor]:
    return decoded[:, :4], decoded[:, 4:]


def _beside(sides: Tensor) -> Tensor:
    """[2 B, C, h, w] -> [B, 2 C, h, w]."""
    return torch.cat(sides.chunk(2), dim=1)


def _apart(pairs: Tensor) -> Tensor:
    """[B, 2 C, h, w] -> [2 B, C, h, w]."""
    return torch.cat(pairs.chunk(2, dim=1))


def _warped_input(features: Tensor, sides: Tensor, flows: Tensor) -> Tensor:
    """What a decoder reads: the middle's features, both frames' features brought to the middle, and the flows."""
    return torch.cat((features, _beside(_warp(sides, _apart(flows))), flows), dim=1)


def _warp(images: Tensor, flow: Tensor) -> Tensor:
    """Images [N, C, h, w] read at each pixel's end of `flow` [N, 2, h, w]; beyond the rim, its nearest pixel."""
    # In -1..1 from the first pixel's centre to the last one's; this order of rounding is VBench's.
    columns, rows = (torch.linspace(-1, 1, size, device=flow.device) for size in (images.shape[-1], images.shape[-2]))
    starts = torch.stack(torch.meshgrid(columns, rows, indexing="xy"))
    half = flow.new_tensor(images.shape[:-3:-1]).sub(1).div(2).view(2, 1, 1)
    ends = (starts + flow / half).permute(0, 2, 3, 1)
    return functional.grid_sample(images, ends, padding_mode="border", align_corners=True)
