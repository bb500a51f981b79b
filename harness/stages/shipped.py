"""Stages whose results come with the harness: packed in half precision, and unpacked into a store."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from harness.core.job import Job
from harness.plan.shipped import FOLDER

CARD = "card.md"  # of a packed stage: how it was made
WEIGHTS = ".safetensors"


def unpack(job: Job) -> None:
    """Any shipped stage: its files, with weights in single precision again."""
    copy(Path(job.settings[FOLDER]), job.folder, torch.float32)


def copy(source: Path, folder: Path, dtype: torch.dtype) -> None:
    """All files of a folder but its card; numbers in files of weights become `dtype`."""
    for path in sorted(source.rglob("*")):
        there = folder / path.relative_to(source)
        if not path.is_file() or path.name == CARD:
            continue
        there.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == WEIGHTS:
            weights = {name: x.to(dtype) if x.is_floating_point() else x for name, x in load_file(path).items()}
            save_file(weights, there, metadata={"format": "pt"})
        else:
            shutil.copyfile(path, there)
