"""Stages whose results come with the harness."""

from pathlib import Path

import torch

from harness.core.job import Job
from harness.plan.shipped import CARD, FOLDER
from svi.backbones.packed import copy


def unpack(job: Job) -> None:
    """Any of them: its files but the card, with weights in single precision again."""
    copy(Path(job.settings[FOLDER]), job.folder, torch.float32, without=(CARD,))
