"""Wan models of random weights, one of each kind a session, and diffusers' own pipeline on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanImageToVideoPipeline
from PIL import Image
from torch import Tensor

from svi.card.wan_folder import IMAGE_DIM, INNER, TEXT_DIM, Kind, write_wan_folder

__all__ = ["IMAGE_DIM", "INNER", "TEXT_DIM", "Kind", "write_wan_folder"]

WanFolder = Callable[[Kind], Path]  # the fixture wan_folder: one of each kind a session, to be read
KINDS: tuple[Kind, ...] = ("wan2.1-i2v", "wan2.2-i2v", "wan2.2-ti2v")
ONE_QUICK = [
    KINDS[0],
    *(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[1:]),
]  # to train each takes seconds


def pinned(sigmas: Tensor) -> FlowMatchEulerDiscreteScheduler:
    """diffusers' Euler scheduler that takes these noise levels whatever a pipeline asks for. sigmas [steps], without the final 0"""
    scheduler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    original = scheduler.set_timesteps
    scheduler.set_timesteps = lambda num_inference_steps, device=None: original(sigmas=sigmas.numpy(), device=device)
    return scheduler


def euler_sigmas(steps: int, shift: float) -> Tensor:
    """shift(linspace(1, 0, steps + 1)[:-1]). [steps] float32"""
    u = torch.linspace(1, 0, steps + 1, dtype=torch.float64)[:-1]
    return (shift * u / (1 + (shift - 1) * u)).float()


def scheduler_for(solver: str, steps: int, shift: float) -> Any:
    """The scheduler a film is made with; both solvers, noise levels set."""
    if solver == "euler":
        return pinned(euler_sigmas(steps, shift))
    return UniPCMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift, num_train_timesteps=1000
    )


def pipeline_latents(
    folder: Path,
    image: Tensor,
    prompt: str,
    negative: str,
    noise: Tensor,
    steps: int,
    shift: float,
    guidance: float,
    guidance_2: float | None = None,
    solver: str = "euler",
    text_tokens: int = 512,
) -> Tensor:
    """One clip by WanImageToVideoPipeline in float32 on the CPU. image [H, W, 3] uint8, noise [1, C, T, h, w] -> latents."""
    pipeline = WanImageToVideoPipeline.from_pretrained(folder)
    pipeline.scheduler = scheduler_for(solver, steps, shift)
    pipeline.set_progress_bar_config(disable=True)
    height, width, _ = image.shape
    out: Tensor = pipeline(
        image=Image.fromarray(image.numpy()),
        prompt=prompt,
        negative_prompt=negative,
        height=height,
        width=width,
        num_frames=4 * (noise.shape[2] - 1) + 1,
        num_inference_steps=steps,
        guidance_scale=guidance,
        guidance_scale_2=guidance_2,
        latents=noise,
        max_sequence_length=text_tokens,
        output_type="latent",
    ).frames
    return out
