"""The peak memory that svi/size foretells, beside what the same code takes on this machine's processor, each in a fresh process."""

import gc
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from svi.backbones.architectures import Architecture
from svi.backbones.catalogue import EXPERT, Geometry
from svi.lora import adapter
from svi.settings import BackboneSettings, DataSettings, TrainSettings
from svi.size.demand import Demand, Model, call, decoding, encoding, inputs, training_step, transformer
from svi.training.engine import engine_for, take_step

MIB = 2**20
# Large tensors come from the system and go back to it at once, so that the high-water mark is what was in use.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "0"}


def _model(heads: int, layers: int, frames: int, height: int, width: int, vae: int) -> Model:
    shape = {"num_attention_heads": heads, "attention_head_dim": 64, "ffn_dim": 256 * heads, "num_layers": layers}
    channels = {
        "in_channels": 36,
        "out_channels": 16,
        "text_dim": 128,
        "image_dim": 64,
        "added_kv_proj_dim": 64 * heads,
    }
    return Model(
        Architecture({**shape, **channels, "cross_attn_norm": True}, {"base_dim": vae}),
        Geometry(image_dim=64),
        BackboneSettings(name="folder", text_tokens=64),
        DataSettings(clip_frames=frames, height=height, width=width),
    )


MODELS: Mapping[str, Model] = {
    "4 x 64 channels, 6 blocks, 17 frames of 192 x 256": _model(4, 6, 17, 192, 256, 32),
    "8 x 64 channels, 4 blocks, 9 frames of 256 x 320": _model(8, 4, 9, 256, 320, 24),
}
SMALL = _model(1, 1, 5, 32, 32, 8)


def _train(checkpointing: Any) -> TrainSettings:
    return TrainSettings(rank=16, alpha=16, batch=1, checkpointing=checkpointing)


def _training(model: Model, train: TrainSettings) -> None:
    """Two steps: the optimiser's moments are there from the second on."""
    from svi.backbones.wan import WanBackbone
    from svi.training import ranks

    ranks.join()
    base = WanBackbone(
        Path("no files"), model.geometry, {EXPERT: transformer(model, model.layers)}, model.backbone, model.data
    )
    engine = engine_for(adapter.adapted(base, train), train)
    engine.train()
    x, t, condition, text = inputs(model, 1)
    for _ in range(2):
        velocity = base.velocity(engine, x, t, condition, text)
        engine.backward((velocity - torch.zeros_like(velocity)).square().mean())
        take_step(engine, train.grad_clip)


@torch.no_grad()
def _calling(model: Model) -> None:
    from svi.backbones.wan import WanBackbone

    built = transformer(model, model.layers)
    x, t, condition, text = inputs(model, 1)
    WanBackbone(Path("no files"), model.geometry, {EXPERT: built}, model.backbone, model.data).velocity(
        built, x, t, condition, text
    )


def _vae(model: Model) -> Any:
    from diffusers import AutoencoderKLWan

    return AutoencoderKLWan(**model.architecture.vae).requires_grad_(False).eval()


@torch.no_grad()
def _decoding(model: Model) -> Tensor:
    data = model.data
    latents = torch.zeros(1, *model.geometry.latent_shape(data.height, data.width, data.clip_frames))
    pixels: Tensor = _vae(model).decode(latents).sample
    return pixels


@torch.no_grad()
def _encoding(model: Model) -> Tensor:
    data = model.data
    mode: Tensor = _vae(model).encode(torch.zeros(1, 3, data.clip_frames, data.height, data.width)).latent_dist.mode()
    return mode


PARTS: Mapping[str, tuple[Callable[[Model], Demand], Callable[[Model], object]]] = {
    "training step, activations kept": (
        lambda model: training_step(model, _train("none")),
        lambda model: _training(model, _train("none")),
    ),
    "training step, computed again by block": (
        lambda model: training_step(model, _train("block")),
        lambda model: _training(model, _train("block")),
    ),
    "call of the denoiser": (call, _calling),
    "VAE, decoding": (decoding, _decoding),
    "VAE, encoding": (encoding, _encoding),
}


def measure() -> Iterator[dict[str, Any]]:
    """A row a part and model: bytes foretold, bytes measured, and by what share the first is off."""
    for size, model in MODELS.items():
        for part, (foretold, _) in PARTS.items():
            expected, found = foretold(model).peak, _measured(part, size)
            yield {"part": part, "size": size, "foretold": expected, "measured": found, "off": expected / found - 1}


def _measured(part: str, size: str) -> int:
    code = f"from svi.perf.memory import child; child({part!r}, {size!r})"
    command, environment = [sys.executable, "-W", "ignore", "-c", code], {**os.environ, **MALLOC}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    return int(done.stdout.splitlines()[-1])


def child(part: str, size: str) -> None:
    """Print the bytes that this process takes at most, above what its libraries take. Linux alone."""
    run = PARTS[part][1]
    run(replace(SMALL, backbone=MODELS[size].backbone))  # libraries are loaded at their first use
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark begins anew
    base = _kilobytes("VmRSS")
    run(MODELS[size])
    print((_kilobytes("VmHWM") - base) * 1024)


def _kilobytes(key: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def table(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    """Markdown, line by line."""
    yield "| | at | foretold, MiB | measured, MiB | off |\n| :-- | :-- | --: | --: | --: |"
    for row in rows:
        mib = (f"{row[key] / MIB:.0f}" for key in ("foretold", "measured"))
        yield f"| {row['part']} | {row['size']} | {' | '.join(mib)} | {row['off']:+.1%} |"
