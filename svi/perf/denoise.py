"""One guided denoising step, and what each speed setting makes of it: a clip of a few steps, in time a step."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from svi.backbones import speed
from svi.generation.denoiser import Denoiser, Given
from svi.perf.measure import Cost, cost, free, matmul_rate
from svi.perf.shapes import SIZES, Size, random_backbone
from svi.perf.step import PLAIN, random_clips
from svi.settings import GenerateSettings, SpeedSettings

TRIED: dict[str, dict[str, object]] = {
    "plain (SDPA, bf16 weights)": {},
    "flash-attn": {"attention": "flash"},
    "torch.compile": {"compile": True},
    "fp8 weights": {"weights": "fp8"},
    "int8 weights": {"weights": "int8"},
    "group offload": {"offload": "group"},
    "first-block cache": {"cache": "first_block"},
    "TaylorSeer cache": {"cache": "taylorseer"},
}


def measure(size_name: str, device: torch.device, steps: int, repeat: int) -> Iterator[dict[str, Any]]:
    """A row for each setting; one that this machine cannot run says why."""
    size = SIZES[size_name]
    rate = matmul_rate(device, getattr(torch, size.backbone.dtype))
    for name, changes in TRIED.items():
        settings = PLAIN.model_copy(update=changes)
        try:
            found = _clip(size, settings, device, steps, repeat)
        except (ValueError, torch.OutOfMemoryError) as error:
            yield {"name": name, "not measured": str(error)}
            continue
        finally:
            free(device)
        seconds = found.seconds / steps
        flops = 2 * sum(size.flops())
        yield {
            "name": name,
            "seconds": seconds,
            "peak_gib": found.peak_gib,
            "share_of_matmul_rate": flops / seconds / rate,
        }


def _clip(size: Size, settings: SpeedSettings, device: torch.device, steps: int, repeat: int) -> Cost:
    at_first = torch.device("cpu") if settings.offload != "none" else device
    backbone = random_backbone(size, at_first)
    models = speed.prepare(backbone.transformers, settings, device)
    denoiser = Denoiser(backbone, models, GenerateSettings(steps=steps))
    given, noise = inputs(size)
    return cost(lambda: denoiser.clip(given, noise), device, repeat)


def inputs(size: Size) -> tuple[Given, Tensor]:
    """What one clip is made from, and its noise."""
    clips = random_clips(size).batch([0], [False], [0])
    return Given(clips.condition, clips.text, torch.randn_like(clips.text)), torch.randn_like(clips.latents)
