"""Inception-I3D for RGB: 16 frames of 224 x 224 pixels to the logits of Kinetics' 400 actions.

Sources: Carreira and Zisserman, "Quo Vadis, Action Recognition? A New Model and the Kinetics Dataset", CVPR 2017, figure 3;
the widths of the Inception modules are those of Szegedy et al., "Going Deeper with Convolutions", CVPR 2015, table 1, with
3 x 3 x 3 for their 5 x 5. Layers carry the names of the published PyTorch weights.
Shapes: cells [B, C, T, H, W]; every layer pads with zeros to ceil(length / stride), an odd one behind (TensorFlow's "same").
"""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.fvd.files import I3D_WEIGHTS
from benchmarks.weights import WeightFile

CLASSES = 400
Extent = tuple[int, int, int]  # frames, height, width
Widths = tuple[int, int, int, int, int, int]
_LAST_CELLS = (2, 7, 7)  # what the strides of 8, 32 and 32 leave of 16 frames of 224 x 224
_EPSILON = 1e-5  # as in cd-fvd and StyleGAN-V, whose FVD is the usual one; DeepMind's own code has 1e-3


class I3d(nn.Sequential):
    """Clips [B, 3, 16, 224, 224] on -1..1 -> logits [B, 400]."""

    def __init__(self) -> None:
        layers = OrderedDict[str, nn.Module](
            Conv3d_1a_7x7=Convolution(3, 64, kernel=7, stride=2),
            MaxPool3d_2a_3x3=Pool((1, 3, 3), (1, 2, 2)),
            Conv3d_2b_1x1=Convolution(64, 64),
            Conv3d_2c_3x3=Convolution(64, 192, kernel=3),
            MaxPool3d_3a_3x3=Pool((1, 3, 3), (1, 2, 2)),
            Mixed_3b=Mixed(192, (64, 96, 128, 16, 32, 32)),
            Mixed_3c=Mixed(256, (128, 128, 192, 32, 96, 64)),
            MaxPool3d_4a_3x3=Pool((3, 3, 3), (2, 2, 2)),
            Mixed_4b=Mixed(480, (192, 96, 208, 16, 48, 64)),
            Mixed_4c=Mixed(512, (160, 112, 224, 24, 64, 64)),
            Mixed_4d=Mixed(512, (128, 128, 256, 24, 64, 64)),
            Mixed_4e=Mixed(512, (112, 144, 288, 32, 64, 64)),
            Mixed_4f=Mixed(528, (256, 160, 320, 32, 128, 128)),
            MaxPool3d_5a_2x2=Pool((2, 2, 2), (2, 2, 2)),
            Mixed_5b=Mixed(832, (256, 160, 320, 32, 128, 128)),
            Mixed_5c=Mixed(832, (384, 192, 384, 48, 128, 128)),
            logits=Logits(1024),
        )
        super().__init__(layers)
        self.eval()

    @classmethod
    def load(cls, file: WeightFile = I3D_WEIGHTS) -> "I3d":
        """The network with the weights of `file`, on the CPU.

        Raises:
            ValueError: the file is missing or holds something else.
        """
        network = cls()
        tensors = file.read()
        # Only training reads these counters, and files that old versions of PyTorch wrote have none.
        counters = {name: value for name, value in network.state_dict().items() if name.endswith("num_batches_tracked")}
        file.load_into(network, counters | tensors)
        return network


class Convolution(nn.Module):
    """Convolution without bias, batch normalisation, ReLU."""

    def __init__(self, width_in: int, width: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.kernel, self.stride = (kernel,) * 3, (stride,) * 3
        self.conv3d = nn.Conv3d(width_in, width, kernel, stride, bias=False)
        self.bn = nn.BatchNorm3d(width, eps=_EPSILON)

    def forward(self, cells: Tensor) -> Tensor:
        result: Tensor = self.bn(self.conv3d(_pad(cells, self.kernel, self.stride)))
        return result.relu()


class Pool(nn.Module):
    """Maximum. What it is given comes out of a ReLU, so that zeros beyond the edge never win."""

    def __init__(self, kernel: Extent, stride: Extent) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, cells: Tensor) -> Tensor:
        return functional.max_pool3d(_pad(cells, self.kernel, self.stride), self.kernel, self.stride)


class Mixed(nn.Module):
    """Inception module: four branches side by side.

    `widths`: 1 x 1; before 3 x 3, 3 x 3; before the other 3 x 3, the other 3 x 3; after the pool.
    """

    def __init__(self, width_in: int, widths: Widths) -> None:
        super().__init__()
        self.b0 = Convolution(width_in, widths[0])
        self.b1a = Convolution(width_in, widths[1])
        self.b1b = Convolution(widths[1], widths[2], kernel=3)
        self.b2a = Convolution(width_in, widths[3])
        self.b2b = Convolution(widths[3], widths[4], kernel=3)
        self.b3a = Pool((3, 3, 3), (1, 1, 1))
        self.b3b = Convolution(width_in, widths[5])

    def forward(self, cells: Tensor) -> Tensor:
        branches = (self.b0(cells), self.b1b(self.b1a(cells)), self.b2b(self.b2a(cells)), self.b3b(self.b3a(cells)))
        return torch.cat(branches, dim=1)


class Logits(nn.Module):
    """Mean over the last cells, then one linear map; a mean over the times that a longer clip leaves."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(width, CLASSES, 1)

    def forward(self, cells: Tensor) -> Tensor:
        logits: Tensor = self.conv3d(functional.avg_pool3d(cells, _LAST_CELLS, stride=1))
        return logits.mean(dim=(2, 3, 4))


def _pad(cells: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """Zeros around the last three axes, so that ceil(length / stride) windows fit in each."""
    padding: list[int] = []
    for length, size, step in zip(cells.shape[-3:], kernel, stride, strict=True):
        steps = -(-length // step) - 1
        missing = max(0, steps * step + size - length)
        padding = [missing // 2, missing - missing // 2, *padding]  # `pad` begins with the last axis
    return functional.pad(cells, padding) if any(padding) else cells
