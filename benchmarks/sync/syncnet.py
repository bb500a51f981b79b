"""SyncNet (Chung and Zisserman, "Out of time: automated lip sync in the wild", 2016), as published with five colour
frames: one network looks at the face, one hears the sound, and what belongs together lies close together.

The tensor names are those of the published `syncnet_v2.model`. Both networks give features of 1024 numbers, not
normalised.
"""

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.arrays import Floats, UInt8
from benchmarks.sync.files import SYNCNET_WEIGHTS

FRAMES = 5  # that a window of the face network sees
FEATURES = 1024
_COUNTER = "num_batches_tracked"  # of batch norms, younger than the published file


class SyncNet(nn.Module):
    """Both networks; see `look` and `listen`."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_layer(nn.Conv2d(1, 64, 3, padding=1)),
            nn.MaxPool2d(1),  # changes nothing, but has a number
            *_layer(nn.Conv2d(64, 192, 3, padding=1)),
            nn.MaxPool2d(3, stride=(1, 2)),
            *_layer(nn.Conv2d(192, 384, 3, padding=1)),
            *_layer(nn.Conv2d(384, 256, 3, padding=1)),
            *_layer(nn.Conv2d(256, 256, 3, padding=1)),
            nn.MaxPool2d(3, stride=2),
            *_layer(nn.Conv2d(256, 512, (5, 4))),
        )
        self.netfcaud = _head()
        self.netfclip = _head()
        self.netcnnlip = nn.Sequential(
            *_layer(nn.Conv3d(3, 96, (FRAMES, 7, 7), stride=(1, 2, 2))),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2)),
            *_layer(nn.Conv3d(96, 256, (1, 5, 5), stride=(1, 2, 2), padding=(0, 1, 1))),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2), padding=(0, 1, 1)),
            *_layer(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1))),
            *_layer(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1))),
            *_layer(nn.Conv3d(256, 256, (1, 3, 3), padding=(0, 1, 1))),
            nn.MaxPool3d((1, 3, 3), stride=(1, 2, 2)),
            *_layer(nn.Conv3d(256, 512, (1, 6, 6))),
        )

    def look(self, crops: Tensor) -> Tensor:
        """T + 4 neighbouring faces, BGR on 0..255 [T + 4, 3, 224, 224] -> features [T, 1024] of each window of five.

        Only the first layer looks across frames, so the windows share one pass instead of five copies of each frame.
        """
        maps = self.netcnnlip(crops.transpose(0, 1)[None])  # [1, 512, T, 1, 1]
        return cast(Tensor, self.netfclip(maps[0, :, :, 0, 0].mT))

    def listen(self, windows: Tensor) -> Tensor:
        """MFCC of 20 hundredths of a second each [T, 1, 13, 20] -> features [T, 1024]."""
        return cast(Tensor, self.netfcaud(self.netcnnaud(windows).flatten(1)))


class SyncEncoder:
    """Crops and MFCC as arrays -> features, in inference mode on a device."""

    def __init__(self, model: SyncNet, device: str | torch.device = "cpu") -> None:
        self._model, self._device = model.to(device).eval().requires_grad_(False), device

    @classmethod
    def load(cls, device: str | torch.device = "cpu") -> "SyncEncoder":
        """With the published weights.

        Raises:
            ValueError: the weight file is missing or another one.
        """
        model = SyncNet()
        counters = {name: value for name, value in model.state_dict().items() if name.endswith(_COUNTER)}
        SYNCNET_WEIGHTS.load_into(model, counters | SYNCNET_WEIGHTS.read())
        return cls(model, device)

    @torch.inference_mode()
    def look(self, crops: UInt8) -> Tensor:
        """Neighbouring faces RGB [T + 4, 224, 224, 3] -> features [T, 1024] on the CPU."""
        images = torch.from_numpy(crops[..., ::-1].copy()).to(self._device).float()
        return self._model.look(images.permute(0, 3, 1, 2)).cpu()

    @torch.inference_mode()
    def listen(self, windows: Floats) -> Tensor:
        """MFCC [T, 13, 20] -> features [T, 1024] on the CPU."""
        return self._model.listen(torch.from_numpy(windows.astype(np.float32)).to(self._device)[:, None]).cpu()


def _layer(convolution: nn.Conv2d | nn.Conv3d) -> tuple[nn.Module, ...]:
    norm = nn.BatchNorm2d if isinstance(convolution, nn.Conv2d) else nn.BatchNorm3d
    return convolution, norm(convolution.out_channels), nn.ReLU(inplace=True)


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, FEATURES))
