"""Published files of the pose encoder: UniAnimate-DiT's checkpoint, and SVI-Dance's, in which it lies beside the LoRA."""

from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from svi.conditions.pose import LAYERS, PoseAdapter
from svi.foreign import reason

MODULE = "dwpose_embedding"
KEYS = {
    f"{MODULE}.{2 * layer}.{kind}": f"encoder.{2 * layer}.{kind}"
    for layer in range(LAYERS)
    for kind in ("weight", "bias")
}
"""Tensors of the file -> of PoseAdapter; the odd numbers are activations, which have none."""
REFERENCE = "randomref_embedding_pose"
"""UniAnimate's encoder of the start image's own pose. SVI-Dance neither trains nor runs it, and its file holds none."""
LORA = ("lora_A", "lora_B", "lora_down", "lora_up", "alpha")  # parts of a LoRA's keys


class Published(NamedTuple):
    """A file's tensors by their own keys: of the pose encoder, of the LoRA, and of the encoder that SVI-Dance does not use."""

    pose: dict[str, Tensor]
    lora: dict[str, Tensor]
    reference: dict[str, Tensor]


def read(file: Path) -> Published:
    """A .safetensors file, or a PyTorch checkpoint of tensors alone (UniAnimate-DiT's .ckpt), of which nothing is run.

    Raises ValueError for a file that cannot be read so, without a pose encoder, or with keys of none of the three.
    """
    tensors = _tensors(file)
    found = Published({}, {}, {})
    unexpected = []
    for key, tensor in tensors.items():
        parts = key.split(".")
        if MODULE in parts:
            found.pose[key] = tensor
        elif REFERENCE in parts:
            found.reference[key] = tensor
        elif any(part in parts for part in LORA):
            found.lora[key] = tensor
        else:
            unexpected.append(key)
    if unexpected:
        raise ValueError(f"{file}: unexpected keys, which would be lost: {_listed(unexpected)}")
    if not found.pose:
        raise ValueError(f"{file} holds no pose encoder: none of its {len(tensors)} keys names {MODULE}")
    return found


def load(adapter: PoseAdapter, tensors: Mapping[str, Tensor], origin: str) -> None:
    """The adapter's weights become those of `Published.pose`, or of what `svi.lora.files.read` sets aside (`LoraWeights.extra`).

    Raises ValueError, which names `origin` and the keys, for missing or unexpected ones and other shapes; nothing is changed then.
    """
    given = {f"{MODULE}.{key.rpartition(f'{MODULE}.')[2]}": tensor for key, tensor in tensors.items()}
    own = adapter.state_dict()
    if missing := [key for key in KEYS if key not in given]:
        raise ValueError(f"{origin}: the pose encoder is incomplete; missing are {_listed(missing)}")
    if unexpected := [key for key in given if key not in KEYS]:
        raise ValueError(f"{origin}: unexpected keys of a pose encoder: {_listed(unexpected)}")
    other = [
        f"{key} {list(given[key].shape)} (expected {list(own[ours].shape)})"
        for key, ours in KEYS.items()
        if given[key].shape != own[ours].shape
    ]
    if other:
        raise ValueError(f"{origin}: the pose encoder was made for another transformer: {_listed(other)}")
    adapter.load_state_dict({ours: given[key] for key, ours in KEYS.items()})


def saved(adapter: PoseAdapter) -> dict[str, Tensor]:
    """The adapter's weights by the published keys: what `load` reads, and a LoRA file may hold beside the LoRA."""
    own = adapter.state_dict()
    return {key: own[ours].detach().cpu() for key, ours in KEYS.items()}


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        if file.suffix == ".safetensors":
            return dict(load_file(file))
        found: Any = torch.load(file, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, SafetensorError, UnpicklingError, ValueError) as error:
        raise ValueError(
            f"{file}: received {reason(error)}; expected a pose encoder's tensors; download it again"
        ) from error
    if not isinstance(found, dict) or not all(isinstance(value, Tensor) for value in found.values()):
        raise ValueError(f"{file}: received a {type(found).__name__}, expected tensors by name; save its tensors alone")
    return found


def _listed(keys: list[str]) -> str:
    return ", ".join(keys[:10]) + (f", ... ({len(keys)} in all)" if len(keys) > 10 else "")
