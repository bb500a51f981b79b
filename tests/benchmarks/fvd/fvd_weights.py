"""Random weights for I3D under the published names, and a small network in its place where the weights do not matter."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.fvd.files import I3D_TORCHSCRIPT, I3D_WEIGHTS
from benchmarks.fvd.i3d import I3d


def i3d_tensors(seed: int = 0) -> dict[str, Tensor]:
    """Drawn by numpy name by name, so that another program can draw the same; activations keep their size."""
    random = np.random.default_rng(seed)
    shapes = {name: tuple(value.shape) for name, value in I3d().state_dict().items()}
    return {name: _drawn(name, shapes[name], random) for name in sorted(shapes)}


def _drawn(name: str, shape: tuple[int, ...], random: np.random.Generator) -> Tensor:
    if name.endswith("num_batches_tracked"):
        return torch.tensor(0)
    if name.endswith("running_var"):
        values = random.uniform(0.5, 1.5, shape)
    elif name.endswith("bn.weight"):
        values = random.uniform(0.8, 1.2, shape)
    elif len(shape) == 5:
        values = random.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    else:
        values = 0.1 * random.standard_normal(shape)
    return torch.tensor(values, dtype=torch.float32)


def write_i3d(folder: Path, tensors: Mapping[str, Tensor]) -> Path:
    """i3d_pretrained_400.pt below HARNESS_WEIGHTS = `folder`."""
    path = folder / I3D_WEIGHTS.path_under / I3D_WEIGHTS.name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(dict(tensors), path)
    return path


class ScriptableI3d(nn.Module):
    """What i3d_torchscript.pt holds: I3D, and the switches that its forward has."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        clip = torch.zeros(1, 3, 16, 224, 224)
        self.network = torch.jit.trace(network, clip, check_trace=False)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False) -> Tensor:
        if resize:
            x = functional.interpolate(x, size=[x.shape[2], 224, 224], mode="trilinear", align_corners=False)
        if rescale:
            x = 2 * x / 255 - 1
        logits: Tensor = self.network(x)
        return logits if return_features else logits.softmax(dim=1)


def write_torchscript(folder: Path, network: nn.Module) -> Path:
    """i3d_torchscript.pt below HARNESS_WEIGHTS = `folder`."""
    path = folder / I3D_TORCHSCRIPT.path_under / I3D_TORCHSCRIPT.name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.jit.script(ScriptableI3d(network)).save(str(path))  # type: ignore[no-untyped-call]
    return path


class SmallNetwork(nn.Module):
    """Clips [B, 3, 16, 224, 224] -> [B, 400]: a random linear map of coarse cells, to which the frames' order matters."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.register_buffer("weight", torch.randn(400, 3 * 16 * 7 * 7, generator=generator) / 48)

    def forward(self, clips: Tensor) -> Tensor:
        cells = functional.avg_pool3d(clips, (1, 32, 32))
        return cells.flatten(1) @ self.get_buffer("weight").T
