"""The ways to run a transformer in bfloat16, on this process's device: each against float32 run plainly (torch's attention, all
weights on the device), within twice what bfloat16 loses when run plainly, and SLACK."""

import traceback
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from svi.backbones import speed
from svi.backbones.speed import default_device
from svi.card.compare import SLACK, Check, distance, last_line, within
from svi.card.made import Dtype, asked, load
from svi.generation.denoiser import Denoiser
from svi.perf.measure import free
from svi.settings import GenerateSettings, SpeedSettings

PLAIN = SpeedSettings(attention="sdpa")
WAYS: dict[str, dict[str, object]] = {
    "attention: flash-attn": {"attention": "flash"},
    "offload: whole models": {"offload": "model"},
    "offload: block by block": {"offload": "group"},
    "weights: fp8": {"weights": "fp8"},
    "weights: int8": {"weights": "int8"},
}
COMPILED: dict[str, dict[str, object]] = {"torch.compile": {"compile": True}}
KERNEL = 3e-2  # of a kernel alone: bfloat16 has 8 bits
STORED = 0.1  # more, for weights of a byte each: what rounding leaves of a small model


def tried(folder: Path, ways: dict[str, dict[str, object]]) -> Iterator[Check]:
    """A row for each way: the relative difference of a guided velocity; skipped where the machine or its packages cannot."""
    exactly = _velocity(folder, "float32", PLAIN)
    loss = distance(_velocity(folder, "bfloat16", PLAIN), exactly)
    for name, changes in ways.items():
        settings = PLAIN.model_copy(update=changes)
        tolerance = 2 * loss + SLACK + (STORED if settings.weights != "as is" else 0.0)
        try:
            yield within(name, distance(_velocity(folder, "bfloat16", settings), exactly), tolerance, "bfloat16")
        except ValueError as error:
            yield Check(name, "skipped", "bfloat16", note=str(error))
        except Exception:  # kernels that do not fit the card raise what they like
            yield Check(name, "failed", "bfloat16", note=last_line(traceback.format_exc()))
        finally:
            free(default_device())


def kernels() -> Iterator[Check]:
    """torch's attention kernels at the heads of Wan (128 channels), bfloat16 on a GPU, against its plainest one in float32."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.nn.functional import scaled_dot_product_attention as attention

    device = default_device()
    drawn = torch.randn(3, 1, 2, 512, 128, generator=torch.Generator().manual_seed(0)).to(device)
    with sdpa_kernel([SDPBackend.MATH]):
        wanted = attention(*drawn).cpu()
    half = drawn.to(torch.bfloat16)
    names = {
        "flash": SDPBackend.FLASH_ATTENTION,
        "memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
        "cuDNN": SDPBackend.CUDNN_ATTENTION,
    }
    for name, backend in names.items():
        try:
            with sdpa_kernel([backend]):
                found = attention(*half).float().cpu()
        except RuntimeError as error:
            yield Check(f"attention: SDPA, {name}", "skipped", "bfloat16", note=last_line(str(error)))
            continue
        yield within(f"attention: SDPA, {name}", distance(found, wanted), KERNEL, "bfloat16")


@torch.no_grad()
def _velocity(folder: Path, dtype: Dtype, settings: SpeedSettings) -> Tensor:
    backbone = load(folder, dtype)
    given, noise = asked(backbone)
    denoiser = Denoiser(backbone, speed.prepare(backbone.transformers, settings), GenerateSettings())
    return denoiser.velocity(0.7, noise, given)
