"""Profiles: one switch that scales an experiment. A profile sets sizes and starts from a recipe."""

from dataclasses import dataclass
from typing import Any

from harness.registry import Registry


@dataclass(frozen=True)
class Profile:
    """Dotted settings, the recipe they start from, and what results at this scale may claim."""

    about: str
    backbone: str
    recipe: str
    caption: str
    values: dict[str, Any]
    real_videos: dict[str, Any]  # laid over `values` when data.path is set


PROFILES: Registry[Profile] = Registry("profile")

PROFILES.add(
    "tiny",
    Profile(
        about="CPU, minutes: diffusers' WanTransformer3DModel at tiny size on the embedded world, or on real videos made tiny",
        backbone="tiny Wan (WanTransformer3DModel, trained from scratch)",
        recipe="svi-tiny",
        caption=(
            "A model of under a million parameters at a few pixels; the recipe svi-tiny trains every one of them, no LoRA, and "
            "lora_only is the control by the paper's name. All variants start from one base model and are scored on the same "
            "scenes. These rows may show which injected error stops drift here, "
            "with every other thing equal; they say nothing of how large the effect is on Wan 2.1 14B, nor of visual quality."
        ),
        values={"data.height": 16, "data.width": 16, "data.fps": 8, "data.clip_frames": 5},
        real_videos={"data.height": 16, "data.width": 24},
    ),
)
