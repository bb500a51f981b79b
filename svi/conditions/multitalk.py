"""MultiTalk's published weights (MeiGen-AI/MeiGen-MultiTalk, multitalk.safetensors) in the adapter for speech.

The file holds what MultiTalk adds to Wan 2.1 14B and nothing of Wan itself, which stayed frozen: 10 tensors of the projection and
8 of each of 40 blocks, 330 in all. InfiniteTalk's file has the same keys.
"""

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from svi.backbones.adapters import added
from svi.foreign import listed


def load_multitalk(transformer: Any, file: Path) -> None:
    """Into the AudioAdapter of a transformer, wrapped or not; in the adapter's precision, and one tensor at a time.

    Raises ValueError, before anything is changed: a damaged file, missing or unexpected keys, or other shapes, by name.
    """
    ours = added(transformer)
    try:
        with safe_open(file, framework="pt") as tensors, torch.no_grad():
            shapes = {key: tensors.get_slice(key).get_shape() for key in tensors.keys()}  # noqa: SIM118 - it is no dict
            _check(file, shapes, {key: list(parameter.shape) for key, parameter in ours.items()})
            for key, parameter in ours.items():
                parameter.copy_(tensors.get_tensor(key))
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{file} is no safetensors file, or is damaged ({error}); download it again") from error


def _check(file: Path, found: dict[str, list[int]], wanted: dict[str, list[int]]) -> None:
    lacks = [key for key in wanted if key not in found]
    unexpected = [key for key in found if key not in wanted]
    shaped = [f"{key} {found[key]}, not {shape}" for key, shape in wanted.items() if found.get(key, shape) != shape]
    faults = {"lacks": lacks, "has unexpected": unexpected, "has of another shape": shaped}
    if not any(faults.values()):
        return
    said = "; ".join(f"{what} {listed(keys)}" for what, keys in faults.items() if keys)
    whole = (
        "; Wan's own weights belong into the model's folder" if any(".self_attn." in key for key in unexpected) else ""
    )
    raise ValueError(
        f"{file} {said}; expected the {len(wanted)} tensors that MultiTalk adds to this model, alone{whole}"
    )
