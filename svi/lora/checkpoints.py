"""The LoRA in a training's last checkpoint: DeepSpeed's files, of which nothing is run."""

import contextlib
import io
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from svi.artifacts import ADAPTER_CONFIG, CHECKPOINTS, LATEST
from svi.backbones.adapters import SIGNAL
from svi.foreign import data_only, read_object, reason
from svi.lora.files import Config, LoraWeights, collect, read_beside

PEFT = "base_model.model."  # before a model's own names


def from_checkpoint(folder: Path, alpha: float | None = None) -> LoraWeights:
    """The LoRA in Train's last checkpoint, float32 as the optimiser has it (ZeRO 0, 2 and 3).

    `folder` is Train's, its `checkpoints`, or one step's. The rank is that of the tensors; alpha is `alpha`, else that of
    adapter_config.json beside the steps, else the rank. Raises ValueError when there is no complete checkpoint, it is not of a
    LoRA, or its files, which are pickles, hold more than data; nothing in them is run.
    """
    steps, name = _last_step(folder)
    try:
        with data_only():
            tensors = {key: value.float().clone() for key, value in _state(steps, name).items()}
    except Exception as error:  # a damaged checkpoint fails in many ways: pickle, zip, keys, shapes
        raise ValueError(
            f"{steps / name}: received {reason(error)}; expected a whole checkpoint as Train writes it; copy or train it again, "
            "or get the LoRA as safetensors"
        ) from error
    config = steps / ADAPTER_CONFIG
    if alpha is None and config.is_file():
        alpha = Config.read(config).alpha
    lora = {key: tensor for key, tensor in tensors.items() if ".lora_" in key}
    trained = {f"{SIGNAL}.{key.removeprefix(PEFT)}": tensors[key] for key in tensors if key not in lora}
    found = collect(lora or tensors, str(steps / name), alpha, {"checkpoint": name})
    return replace(found, form="checkpoint", extra=trained or read_beside(steps))


def _last_step(folder: Path) -> tuple[Path, str]:
    for steps in (folder / CHECKPOINTS, folder):
        if (steps / LATEST).is_file():
            name = read_object(steps / LATEST).get("name")
            if not isinstance(name, str) or Path(name).name != name:
                raise ValueError(f"{steps / LATEST}: received name {name!r}, expected that of a folder beside it")
            return steps, name
    if any(folder.glob("*_model_states.pt")):
        return folder.parent, folder.name
    raise ValueError(f"{folder} holds no complete checkpoint; expected {CHECKPOINTS}/{LATEST}, as Train writes it")


def _state(steps: Path, name: str) -> dict[str, Tensor]:
    """By parameter; with ZeRO, joined of the pieces that the ranks hold."""
    if not any((steps / name).glob("*zero_pp_rank_*_optim_states.pt")):
        file = steps / name / "mp_rank_00_model_states.pt"
        whole: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True, mmap=True)["module"]
        return whole
    from deepspeed.utils.zero_to_fp32 import get_fp32_state_dict_from_zero_checkpoint

    talk = io.StringIO()  # it prints every file it opens
    with contextlib.redirect_stdout(talk), contextlib.redirect_stderr(talk):
        state: dict[str, Tensor] = get_fp32_state_dict_from_zero_checkpoint(
            str(steps), tag=name, exclude_frozen_parameters=True
        )
    return state
