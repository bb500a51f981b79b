"""Files that others may have made: JSON that need be no object, and pickles, of which nothing but data is read."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

# PyTorch's switch; it overrules the weights_only=False in DeepSpeed's own calls.
_FORCE = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
_ADVICE = re.compile("In PyTorch 2.6|Check the documentation|Please use")  # how it begins to say what to allow instead


@contextmanager
def data_only() -> Iterator[None]:
    """Inside, `torch.load` makes tensors, plain values and DeepSpeed's three harmless records, whatever its caller asks for.

    It raises pickle.UnpicklingError, without running it, for a file that wants anything else; `reason` puts that into words.
    The switch is the process's: no other thread should load what needs more.
    """
    from deepspeed.runtime.fp16.loss_scaler import LossScaler
    from deepspeed.runtime.zero.config import ZeroStageEnum
    from deepspeed.utils.tensor_fragment import fragment_address
    from torch.serialization import safe_globals

    before = os.environ.get(_FORCE)
    os.environ[_FORCE] = "1"
    try:
        with safe_globals([LossScaler, ZeroStageEnum, fragment_address]):
            yield
    finally:
        del os.environ[_FORCE]
        if before is not None:
            os.environ[_FORCE] = before


def reason(error: Exception) -> str:
    """Why a file could not be read, on one line."""
    if isinstance(error, UnpicklingError) and (named := re.search(r"GLOBAL ([\w.]+)", str(error))):
        return f"{named[1]} in a pickle, which may run any code and was not run"
    said = _ADVICE.split(str(error).partition("WeightsUnpickler error: ")[2] or str(error))[0]
    return f"{type(error).__name__}: {' '.join(said.split())[:200]}"


def listed(keys: list[str]) -> str:
    """The first ten and how many there are, for a message."""
    return ", ".join(keys[:10]) + (f", ... ({len(keys)} in all)" if len(keys) > 10 else "")


def tensors_of(checkpoint: Path) -> "dict[str, Tensor]":
    """Of a PyTorch file that holds tensors by name and nothing else; nothing in it is run. Raises ValueError for any other."""
    import torch

    try:
        found: Any = torch.load(checkpoint, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, UnpicklingError, ValueError) as error:
        raise ValueError(f"{checkpoint}: received {reason(error)}; expected tensors; download it again") from error
    if not isinstance(found, dict) or not all(hasattr(value, "shape") for value in found.values()):
        raise ValueError(
            f"{checkpoint}: received a {type(found).__name__}, expected tensors by name; save its tensors alone"
        )
    return found


def json_object(text: str | bytes, origin: str) -> dict[str, Any]:
    """Raises ValueError, which names `origin`, for anything but a JSON object."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{origin} cannot be read ({error}), expected a JSON object; save it again") from error
    if not isinstance(content, dict):
        raise ValueError(f"{origin}: received a {type(content).__name__}, expected a JSON object; save it again")
    return content


def read_object(file: Path) -> dict[str, Any]:
    """The JSON object in a file. Raises ValueError when it cannot be read, or is none."""
    try:
        text = file.read_bytes()
    except OSError as error:
        raise ValueError(f"{file} cannot be read ({error}), expected a JSON object; save it again") from error
    return json_object(text, str(file))
