"""A model's folder in another precision: half of it is enough to be given away."""

import shutil
from collections.abc import Collection
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def copy(source: Path, folder: Path, dtype: torch.dtype, without: Collection[str] = ()) -> None:
    """All files of a folder but those of these names; numbers in files of weights become `dtype`."""
    for path in sorted(source.rglob("*")):
        there = folder / path.relative_to(source)
        if not path.is_file() or path.name in without:
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".safetensors":
            weights = {name: x.to(dtype) if x.is_floating_point() else x for name, x in load_file(path).items()}
            save_file(weights, there, metadata={"format": "pt"})
        else:
            shutil.copyfile(path, there)
