"""Published files of the pose encoder: UniAnimate-DiT's checkpoint, and SVI-Dance's, in which it lies beside the LoRA."""

from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from svi.backbones.adapters import added, fill
from svi.conditions.pose import MODULE
from svi.foreign import listed, reason, tensors_of

REFERENCE = "randomref_embedding_pose"
"""UniAnimate's encoder of the start image's own pose. SVI-Dance neither trains nor runs it, and its file holds none."""
BESIDE = {REFERENCE, "lora_A", "lora_B", "lora_down", "lora_up", "alpha"}  # parts of the keys beside it: a LoRA's


def read(file: Path) -> dict[str, Tensor]:
    """The pose encoder's tensors of a .safetensors file, or of a PyTorch checkpoint of tensors alone (UniAnimate-DiT's .ckpt).

    Raises ValueError for a file that cannot be read so, without a pose encoder, or with keys that no such file has.
    """
    tensors = _tensors(file)
    pose = {key: tensor for key, tensor in tensors.items() if MODULE in key.split(".")}
    unexpected = [key for key in tensors if key not in pose and not BESIDE & set(key.split("."))]
    if unexpected:
        raise ValueError(f"{file}: unexpected keys, which would be lost: {listed(unexpected)}")
    if not pose:
        raise ValueError(f"{file} holds no pose encoder: none of its {len(tensors)} keys names {MODULE}")
    return pose


def load(transformer: Any, file: Path) -> None:
    """The weights of the transformer's PoseAdapter become those of the file. Raises ValueError as `read` and `fill` do, and for
    tensors that no pose encoder has; nothing is changed then."""
    tensors = read(file)
    known = added(transformer)
    if unexpected := [key for key in tensors if f"{MODULE}.{key.rpartition(f'{MODULE}.')[2]}" not in known]:
        raise ValueError(f"{file}: unexpected keys of a pose encoder: {listed(unexpected)}")
    fill(transformer, tensors, str(file))


def _tensors(file: Path) -> dict[str, Tensor]:
    if file.suffix != ".safetensors":
        return tensors_of(file)
    try:
        return dict(load_file(file))
    except (OSError, SafetensorError) as error:
        raise ValueError(
            f"{file}: received {reason(error)}; expected a pose encoder's tensors; download it again"
        ) from error
