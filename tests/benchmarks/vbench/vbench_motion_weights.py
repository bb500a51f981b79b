"""Seeded random weights under the published names, for VBench's quality dimensions that look at motion.

The names and shapes are those of raft-things.pth and amt-s.pth; official VBench loads these files with strict names.
"""

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.vbench.files import AMT_S, RAFT_THINGS
from benchmarks.weights import WeightFile

FLOW_SCALE = 0.0114  # a moving texture then lies above dynamic_degree's threshold and a flat still below it
_AMT_SCALES = {
    **{f"decoder{level}.convblock.2": 0.05 for level in (4, 3, 2)}, "decoder1.convblock.2": 0.03, "comb_block.2": 0.3,
    **{f"update{level}.flow_head.2": 0.05 for level in (4, 3, 2)},
}  # fmt: skip
Shapes = dict[str, tuple[int, ...]]


def write_raft(cache: Path, flow_scale: float = FLOW_SCALE) -> Path:
    """raft-things.pth, as its authors' parallel training left it; `flow_scale` times each step of the flow."""
    tensors = _drawn(raft_shapes(), seed=6)
    for kind in ("weight", "bias"):
        tensors[f"update_block.flow_head.conv2.{kind}"] *= flow_scale
    return _save(cache, RAFT_THINGS, OrderedDict((f"module.{name}", value) for name, value in tensors.items()))


def write_amt(cache: Path) -> Path:
    """amt-s.pth: the tensors beside an optimiser whose learning rate is a numpy number."""
    optimiser = {"param_groups": [{"lr": np.float64(2e-5)}], "state": {}}
    state = OrderedDict(_drawn(amt_shapes(), seed=7))
    for name, value in state.items():  # so that flows stay within the frame and few pixels are cut off at 0 or 1
        value *= next((scale for part, scale in _AMT_SCALES.items() if name.startswith(part)), 1.0)
    return _save(cache, AMT_S, OrderedDict(epoch=300, state_dict=state, optim=optimiser))


def raft_shapes() -> Shapes:
    """Every tensor of raft-things.pth, without the "module." before its name."""
    shapes = _raft_encoder("fnet", batch_norm=False) | _raft_encoder("cnet", batch_norm=True)
    for name, given, received, size in (
        ("encoder.convc1", 256, 324, 1), ("encoder.convc2", 192, 256, 3), ("encoder.convf1", 128, 2, 7),
        ("encoder.convf2", 64, 128, 3), ("encoder.conv", 126, 256, 3), ("flow_head.conv1", 256, 128, 3),
        ("flow_head.conv2", 2, 256, 3), ("mask.0", 256, 128, 3), ("mask.2", 576, 256, 1),
    ):  # fmt: skip
        shapes |= _conv(f"update_block.{name}", given, received, size, size)
    for number, (rows, columns) in enumerate(((1, 5), (5, 1)), start=1):
        for gate in "zrq":
            shapes |= _conv(f"update_block.gru.conv{gate}{number}", 128, 384, rows, columns)
    return shapes


def amt_shapes() -> Shapes:
    """Every tensor of amt-s.pth's state dict."""
    shapes = _conv("feat_encoder.conv1", 32, 3, 7, 7)
    for layer, before, width in ((1, 32, 32), (2, 32, 64), (3, 64, 96)):
        for block, received in enumerate((before, width)):
            name, narrow = f"feat_encoder.layer{layer}.{block}", width // 4
            shapes |= _conv(f"{name}.conv1", narrow, received, 1, 1) | _conv(f"{name}.conv2", narrow, narrow, 3, 3)
            shapes |= _conv(f"{name}.conv3", width, narrow, 1, 1)
        if before != width:
            shapes |= _conv(f"feat_encoder.layer{layer}.0.downsample.0", width, before, 1, 1)
    shapes |= _conv("feat_encoder.conv2", 84, 96, 1, 1)
    for level, (before, width) in enumerate(((3, 20), (20, 32), (32, 44), (44, 56)), start=1):
        shapes |= _prelu_conv(f"encoder.pyramid{level}.0", width, before)
        shapes |= _prelu_conv(f"encoder.pyramid{level}.1", width, width)
    for level, received, width, given in ((4, 113, 112, 48), (3, 136, 132, 36), (2, 100, 96, 24), (1, 64, 60, 24)):
        shapes |= _amt_decoder(f"decoder{level}.convblock", received, width, given)
    for level, width in ((4, 44), (3, 32), (2, 20)):
        shapes |= _amt_update(f"update{level}", width)
    return (
        shapes
        | _conv("comb_block.0", 18, 9, 3, 3)
        | {"comb_block.1.weight": (18,)}
        | _conv("comb_block.2", 3, 18, 3, 3)
    )


def _raft_encoder(name: str, batch_norm: bool) -> Shapes:
    norm = _batch_norm if batch_norm else lambda *_: {}
    shapes = _conv(f"{name}.conv1", 64, 3, 7, 7) | norm(f"{name}.norm1", 64) | _conv(f"{name}.conv2", 256, 128, 1, 1)
    for layer, before, width in ((1, 64, 64), (2, 64, 96), (3, 96, 128)):
        for block, received in enumerate((before, width)):
            inner = f"{name}.layer{layer}.{block}"
            shapes |= _conv(f"{inner}.conv1", width, received, 3, 3) | _conv(f"{inner}.conv2", width, width, 3, 3)
            shapes |= norm(f"{inner}.norm1", width) | norm(f"{inner}.norm2", width)
        if before != width:
            inner = f"{name}.layer{layer}.0"
            shapes |= _conv(f"{inner}.downsample.0", width, before, 1, 1)
            shapes |= norm(f"{inner}.norm3", width) | norm(f"{inner}.downsample.1", width)
    return shapes


def _amt_decoder(name: str, received: int, width: int, given: int) -> Shapes:
    shapes = _prelu_conv(f"{name}.0", width, received)
    for number, channels in enumerate((width, 20, width, 20), start=1):
        shapes |= _prelu_conv(f"{name}.1.conv{number}", channels, channels)
    shapes |= _conv(f"{name}.1.conv5", width, width, 3, 3) | {f"{name}.1.prelu.weight": (width,)}
    return shapes | {f"{name}.2.weight": (width, given, 4, 4), f"{name}.2.bias": (given,)}


def _amt_update(name: str, width: int) -> Shapes:
    shapes = _conv(f"{name}.convc1", 64, 392, 1, 1) | _conv(f"{name}.convf1", 40, 4, 7, 7)
    shapes |= _conv(f"{name}.convf2", 20, 40, 3, 3) | _conv(f"{name}.conv", 68, 84, 3, 3)
    for head, received, given in (("gru", 72 + width, 76), ("feat_head", 76, width), ("flow_head", 76, 4)):
        shapes |= _conv(f"{name}.{head}.0", 76, received, 3, 3) | _conv(f"{name}.{head}.2", given, 76, 3, 3)
    return shapes


def _conv(name: str, given: int, received: int, rows: int, columns: int) -> Shapes:
    return {f"{name}.weight": (given, received, rows, columns), f"{name}.bias": (given,)}


def _prelu_conv(name: str, given: int, received: int) -> Shapes:
    return _conv(f"{name}.0", given, received, 3, 3) | {f"{name}.1.weight": (given,)}


def _batch_norm(name: str, width: int) -> Shapes:
    vectors = {f"{name}.{kind}": (width,) for kind in ("weight", "bias", "running_mean", "running_var")}
    return {**vectors, f"{name}.num_batches_tracked": ()}


def _drawn(shapes: Shapes, seed: int) -> dict[str, Tensor]:
    """Kernels keep the size of what passes, the slopes of PReLU lie about 1/4, norms about 1, the rest about 0."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            tensors[name] = torch.tensor(1)
        elif len(shape) > 1:
            tensors[name] = noise * (2 / (noise[0].numel())) ** 0.5
        elif name.endswith("running_var"):
            tensors[name] = 1 + 0.2 * noise.clamp(-2, 2)
        else:
            slope = name.endswith("weight") and "norm" not in name and "downsample" not in name
            tensors[name] = 0.05 * noise + (0.25 if slope else float(name.endswith("weight")))
    for name in tensors:  # a file holds the norm of a shortcut under both its names
        if ".norm3." in name:
            tensors[name] = tensors[name.replace(".norm3.", ".downsample.1.")]
    return tensors


def _save(cache: Path, file: WeightFile, content: Any) -> Path:
    path = cache / file.path_under / file.name
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path
