"""One training step: with the latent cache, and with everything encoded in the step, as the authors' code does."""

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from svi.data.cache import Batch
from svi.error_settings import BankSettings, InjectionSettings
from svi.lora import adapter as lora
from svi.objectives.error_recycling import ErrorRecycling
from svi.perf.measure import cost, matmul_rate
from svi.perf.shapes import CLIP_TOKENS, SIZES, Encoders, Size, random_backbone
from svi.settings import ConditionSettings, FlowSettings, TrainSettings
from svi.training import ranks
from svi.training.engine import engine_for, take_step

CLIPS = 4


class RandomClips:
    """What a latent cache gives, of random numbers."""

    references = 1

    def __init__(self, size: Size) -> None:
        channels, *rest = size.latent_shape
        shape = size.transformer
        self.latents = torch.randn(CLIPS, channels, *rest)
        self.condition = torch.randn(CLIPS, channels + size.shape.mask_channels, *rest)
        self.image = torch.randn(CLIPS, CLIP_TOKENS, shape["image_dim"])
        self.text = torch.randn(CLIPS, size.backbone.text_tokens, shape["text_dim"])

    def __len__(self) -> int:
        return CLIPS

    def batch(self, rows: Sequence[int], short: Sequence[bool], reference: Sequence[int]) -> Batch:
        picked = list(rows)
        condition = {"latents": self.condition[picked], "image": self.image[picked]}
        return Batch(self.latents[picked], condition, self.text[picked])


def measure(size_name: str, device: torch.device, repeat: int, checkpointing: str) -> Iterator[dict[str, Any]]:
    """A row for the step with the cache, and one for the step that encodes."""
    size = SIZES[size_name]
    rate = matmul_rate(device, getattr(torch, size.backbone.dtype))
    with tempfile.TemporaryDirectory() as folder:
        step, objective = _step(size, Path(folder), checkpointing)
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


def _step(size: Size, folder: Path, checkpointing: Any) -> tuple[Any, ErrorRecycling]:
    """One optimiser step on one clip, through the engine and the objective that trainings use."""
    ranks.join()
    settings = TrainSettings(
        rank=size.rank, alpha=size.rank, batch=1, dtype=size.backbone.dtype, checkpointing=checkpointing
    )
    backbone = random_backbone(size, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    model = lora.adapted(backbone, settings)
    clips: Any = RandomClips(size)
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
            take_step(engine)
        done += 1
        return loss

    return step, objective
