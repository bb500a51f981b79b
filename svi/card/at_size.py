"""Seconds and memory of one piece of work at a published model's size, random weights, on this process's device.

The model is built on the meta device first; what does not fit is not tried.
"""

import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import torch

from svi.backbones import speed
from svi.backbones.speed import default_device
from svi.generation.denoiser import Denoiser
from svi.perf.denoise import inputs
from svi.perf.measure import GIB, cost, free
from svi.perf.shapes import SIZES, Encoders, Size, random_backbone, weight_bytes
from svi.perf.step import step_of
from svi.settings import GenerateSettings, SpeedSettings

REPEAT = 2
GUIDED = 2  # forward passes of a guided velocity
OFFLOADED = "speed.offload=group"


@dataclass(frozen=True)
class Timed:
    """One piece of work (harness.core.card_report.Work): median seconds and the peak of memory, or `note`: why there is neither."""

    work: str
    how: str
    seconds: float | None = None
    peak_bytes: int | None = None
    note: str = ""


def timed(name: str, work: str) -> Iterator[Timed]:
    """Of the model's size: "step" or "call", a row each attention kernel; or "encoders": text, encode and decode."""
    size, device = SIZES[name], default_device()
    if work == "encoders":
        yield from _encoders(size, device)
        return
    for attention in ("sdpa", "flash") if _flash(size, device) else ("sdpa",):
        settings = SpeedSettings(attention=attention)
        yield _step(size, device, settings) if work == "step" else _call(size, device, settings)
        free(device)


def _flash(size: Size, device: torch.device) -> bool:
    installed = find_spec("flash_attn") is not None
    return installed and device.type == "cuda" and size.backbone.dtype == "bfloat16"


def room(device: torch.device) -> int:
    """Bytes that are free on the device."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _too_large(needed: int, device: torch.device, what: str) -> str:
    """What to say where weights do not fit; empty where they do."""
    there = room(device)
    if needed < there:
        return ""
    return f"{what} take {needed / GIB:.1f} GiB, of which {there / GIB:.1f} GiB are free: does not fit"


def _step(size: Size, device: torch.device, settings: SpeedSettings) -> Timed:
    """One clip forward and back and the optimiser; activations in host memory where the card has no room for them."""
    how = f"speed.attention={settings.attention} train.rank={size.rank}"
    if note := _too_large(weight_bytes(size), device, "the weights of a transformer"):
        return Timed("step", how, note=note)
    found = Timed("step", how)
    for checkpointing in ("block", "offload"):
        with tempfile.TemporaryDirectory() as folder, ExitStack() as held:

            def step() -> Callable[[], object]:
                made, objective = step_of(size, Path(folder), checkpointing, settings)  # noqa: B023
                held.enter_context(objective)
                return made

            found = _measured("step", f"{how} train.checkpointing={checkpointing}", step, device, 1)
        if found.seconds is not None:
            return found
        free(device)
    return found


def _call(size: Size, device: torch.device, settings: SpeedSettings) -> Timed:
    """One forward pass, of a guided velocity's two; block by block from host memory where the weights do not fit."""
    experts = size.shape.experts
    whole = weight_bytes(size) * len(experts)
    how = f"speed.attention={settings.attention} speed.offload=none"
    at_first, run = device, settings
    if note := _too_large(whole, device, f"the weights of {len(experts)} transformer{'s' * (len(experts) > 1)}"):
        host = _too_large(whole, torch.device("cpu"), "and in host memory they")
        if host or device.type == "cpu":
            return Timed("call", how, note=f"{note}; {host}" if host else note)
        at_first, run = torch.device("cpu"), settings.model_copy(update={"offload": "group"})
        how = how.replace("speed.offload=none", OFFLOADED)

    def velocity() -> Callable[[], object]:
        backbone = random_backbone(size, at_first, experts)
        denoiser = Denoiser(backbone, speed.prepare(backbone.transformers, run, device), GenerateSettings())
        given, noise = inputs(size)
        return torch.no_grad()(lambda: denoiser.velocity(0.7, noise, given))

    return _measured("call", how, velocity, device, GUIDED)


def _encoders(size: Size, device: torch.device) -> Iterator[Timed]:
    """The VAE in float32, UMT5 in the model's numbers."""
    try:
        encoders = Encoders.random(size, device)
    except (RuntimeError, MemoryError) as error:
        yield Timed("text", "", note=_why(error))
        return
    yield _measured("text", "", lambda: encoders.prompt, device, 1)
    # Films and the latent cache have the VAE alone on the card.
    encoders = replace(encoders, text=None, image=None)
    free(device)
    yield _measured("encode", "", lambda: encoders.clip, device, 1)
    yield _measured("decode", "", lambda: encoders.frames, device, 1)


def _measured(work: str, how: str, make: Callable[[], Callable[[], Any]], device: torch.device, units: int) -> Timed:
    """Make the work, then time it; what memory it took is the card's, weights included. `units` of work a call."""
    try:
        found = cost(make(), device, REPEAT)
    except (torch.OutOfMemoryError, MemoryError) as error:
        return Timed(work, how, note=_why(error))
    return Timed(work, how, found.seconds / units, int(found.peak_gib * GIB))


def _why(error: BaseException) -> str:
    return f"out of memory: {str(error).splitlines()[0] if str(error) else type(error).__name__}"
