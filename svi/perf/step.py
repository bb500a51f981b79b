"""One training step: with the latent cache, and with everything encoded in the step, as the authors' code does."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from svi.backbones import speed
from svi.backbones.architectures import CLIP_TOKENS
from svi.backbones.padding import masked
from svi.error_settings import BankSettings, InjectionSettings
from svi.lora import adapter as lora
from svi.objectives.error_recycling import ErrorRecycling
from svi.perf.measure import cost, matmul_rate
from svi.perf.random_clips import RandomClips
from svi.perf.shapes import SIZES, Encoders, Size, random_backbone
from svi.settings import ConditionSettings, FlowSettings, SpeedSettings, TrainSettings
from svi.training import ranks
from svi.training.engine import engine_for, take_step

CLIPS = 4
PLAIN = SpeedSettings(attention="sdpa")


def random_clips(size: Size) -> RandomClips:
    """What a latent cache gives at this size; in TI2V-5B the first latent frame is given."""
    wan = size.built.transformer
    latents = torch.randn(CLIPS, *size.latent_shape)
    condition = {"latents": masked(torch.randn_like(latents), size.shape.mask_channels, 1)}
    if size.built.image is not None:
        condition["image"] = torch.randn(CLIPS, CLIP_TOKENS, wan["image_dim"])
    return RandomClips(latents, condition, torch.randn(CLIPS, size.backbone.text_tokens, wan["text_dim"]))


def measure(size_name: str, device: torch.device, repeat: int, checkpointing: str) -> Iterator[dict[str, Any]]:
    """A row for the step with the cache, and one for the step that encodes."""
    size = SIZES[size_name]
    rate = matmul_rate(device, getattr(torch, size.backbone.dtype))
    with tempfile.TemporaryDirectory() as folder:
        step, objective = step_of(size, Path(folder), checkpointing)
        with objective:
            cached = cost(step, device, repeat)
            yield _row("latent cache", cached.seconds, cached.peak_gib, flops(size, checkpointing), rate)
            encoders = Encoders.random(size, device)

            def encoding() -> None:
                encoders.encode()
                step()

            encoded = cost(encoding, device, repeat)
            yield _row("encoded in the step", encoded.seconds, encoded.peak_gib, flops(size, checkpointing), rate)


def flops(size: Size, checkpointing: str) -> float:
    """Of the transformer in one step on one clip: forward, again where activations are not kept, and gradients of activations.

    Frozen weights have no gradients; attention's backward pass costs 2.5 of its forward.
    """
    linear, attention = size.flops()
    forwards = 1 if checkpointing == "none" else 2
    return forwards * (linear + attention) + linear + 2.5 * attention


def _row(name: str, seconds: float, peak_gib: float, work: float, rate: float) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "peak_gib": peak_gib, "share_of_matmul_rate": work / seconds / rate}


def step_of(
    size: Size, folder: Path, checkpointing: Any, run: SpeedSettings = PLAIN
) -> tuple[Callable[[], Tensor], ErrorRecycling]:
    """One optimiser step on one clip, through the engine and the objective of trainings; to be called in a `with` of the latter."""
    ranks.join()
    settings = TrainSettings(
        rank=size.rank, alpha=size.rank, batch=1, dtype=size.backbone.dtype, checkpointing=checkpointing
    )
    backbone = random_backbone(size, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    model = lora.adapted(backbone, settings)
    speed.kernels(model, run, backbone.device)
    clips: Any = random_clips(size)
    bank = BankSettings(capacity=4, dtype=size.backbone.dtype)
    objective = ErrorRecycling(
        backbone, clips, FlowSettings(), InjectionSettings(), bank, ConditionSettings(), 0, folder
    )
    engine = engine_for(model, settings)
    done = 0

    def step() -> Tensor:
        nonlocal done
        for loss in objective.losses(engine, range(done, done + 1), 1, done, range(done + 1, done + 2)):
            engine.backward(loss)
            take_step(engine, settings.grad_clip)
        done += 1
        return loss

    return step, objective
