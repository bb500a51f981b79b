"""Weight files: where they belong, what their licence is, and how they are checked. Nothing is ever downloaded."""

import functools
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor, nn

_SHOWN_NAMES = 3


def vbench_cache() -> Path:
    """VBench's folder of weights: VBENCH_CACHE_DIR, else ~/.cache/vbench."""
    return Path(os.environ.get("VBENCH_CACHE_DIR") or "~/.cache/vbench").expanduser()


def torch_home() -> Path:
    """Torch's folder of downloads: TORCH_HOME, else torch below XDG_CACHE_HOME or ~/.cache (torch.hub's rule)."""
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(os.environ.get("TORCH_HOME") or Path(cache, "torch")).expanduser()


def harness_weights() -> Path:
    """The folder of weights that no other tool has a folder for: HARNESS_WEIGHTS, else ~/.cache/svi-harness/weights."""
    return Path(os.environ.get("HARNESS_WEIGHTS") or "~/.cache/svi-harness/weights").expanduser()


_ROOTS = {
    "vbench": (vbench_cache, "VBENCH_CACHE_DIR"),
    "torch": (torch_home, "TORCH_HOME"),
    "harness": (harness_weights, "HARNESS_WEIGHTS"),
}


@dataclass(frozen=True)
class WeightFile:
    """The file `name` in the folder `path_under` of a root: VBench's cache, torch's home or the harness's own folder."""

    path_under: str
    name: str
    licence: str
    where_to_get: str
    root: Literal["vbench", "torch", "harness"] = "vbench"

    @property
    def path(self) -> Path:
        """Where the file belongs, by the environment of this moment."""
        folder, _ = _ROOTS[self.root]
        return folder() / self.path_under / self.name

    def find(self) -> Path:
        """The file's path.

        Raises:
            ValueError: there is no such file; says where it belongs, its licence and where it comes from.
        """
        if not self.path.is_file():
            _, variable = _ROOTS[self.root]
            raise ValueError(
                f"weights {self.name}: received no file {self.path}, expected it there (the folder follows {variable}; "
                f"licence {self.licence}); get it from {self.where_to_get}"
            )
        return self.path

    def sha256(self) -> str:
        """Hexadecimal hash of the file's bytes; read once a process as long as the file stays the same.

        Raises:
            ValueError: there is no such file.
        """
        path = self.find()
        status = path.stat()
        return _sha256(path, status.st_size, status.st_mtime_ns)

    def read(self) -> "dict[str, Tensor]":
        """The tensors of a file that `torch.save` wrote, by name, on the CPU; {"state_dict": ...} is unwrapped.

        Raises:
            ValueError: there is no such file, or it holds something else.
        """
        import torch

        path = self.find()
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # a damaged file fails in many ways: pickle, zip, runtime
            raise ValueError(f"weights {path}: received an unreadable file ({error}), {self._expected}") from error
        state = content.get("state_dict", content) if isinstance(content, dict) else content
        if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
            raise ValueError(f"weights {path}: received {type(content).__name__}, {self._expected}")
        return state

    def load_into(self, module: "nn.Module", tensors: "Mapping[str, Tensor]") -> None:
        """Copy `tensors` into `module`, every name and shape of which must agree.

        Raises:
            ValueError: a name is absent, left over, or of another shape.
        """
        own = module.state_dict()
        wrong = [f"no {name}" for name in own if name not in tensors]
        wrong += [f"unknown {name}" for name in tensors if name not in own]
        wrong += [
            f"{name} {tuple(tensors[name].shape)} for {tuple(value.shape)}"
            for name, value in own.items()
            if name in tensors and tensors[name].shape != value.shape
        ]
        if wrong:
            shown = ", ".join(wrong[:_SHOWN_NAMES]) + (", ..." if len(wrong) > _SHOWN_NAMES else "")
            raise ValueError(f"weights {self.path}: received {len(wrong)} tensors amiss ({shown}), {self._expected}")
        module.load_state_dict(dict(tensors))

    @property
    def _expected(self) -> str:
        return f"expected the published {self.name}; get it from {self.where_to_get}"


@functools.cache
def _sha256(path: Path, size: int, modified_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
