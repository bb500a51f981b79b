"""Checkpoints of a training run: weights, optimiser, RNG, moving average, the objective's state and its meter, whole or not."""

import json
import shutil
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from svi import disk
from svi.artifacts import LATEST
from svi.backbones.meter import Meter
from svi.foreign import data_only, read_object, reason
from svi.training.objective import TrainingObjective


class Checkpoints:
    """Complete states, one folder a step; latest.json names the last one that is whole and on disk."""

    def __init__(
        self, folder: Path, engine: Any, objective: TrainingObjective, average: nn.Module | None, meter: Meter
    ) -> None:
        """In `folder`, which all ranks of all nodes see."""
        self.folder, self.engine, self.objective, self.average, self.meter = folder, engine, objective, average, meter

    def save(self, step: int) -> None:
        """Write the state after `step` steps, name it the latest, then remove the one before.

        Cut short anywhere, the one before stays as it was. All ranks call it together.
        """
        name = f"step-{step:07d}"
        self.engine.save_checkpoint(str(self.folder), tag=name, save_latest=False, exclude_frozen_parameters=True)
        state = {
            "objective": self.objective.state_dict(),
            "rng": torch.get_rng_state(),
            "meter": self.meter.state_dict(),
        }
        if self.average is not None:
            state["average"] = self.average.state_dict()
        torch.save(state, self.folder / name / f"state-{dist.get_rank()}.pt")
        _flush(self.folder / name)
        dist.barrier()
        if dist.get_rank() == 0:
            latest = {"name": name, "step": step, "ranks": dist.get_world_size()}
            disk.write_whole(self.folder / LATEST, json.dumps(latest).encode())
        dist.barrier()  # before it is named, no rank may give up what the one before needs
        self.objective.settle()
        if dist.get_rank() == 0:
            for old in self.folder.glob("step-*"):
                if old.name != name:
                    shutil.rmtree(old)

    def load(self) -> int:
        """Restore the latest state and return its step; 0 if there is none. Raises ValueError if other ranks made it, or
        its files hold more than data; nothing in them is run."""
        latest = self.folder / LATEST
        if not latest.is_file():
            return 0
        about = read_object(latest)
        if about["ranks"] != dist.get_world_size():
            raise ValueError(
                f"the checkpoint {self.folder} was made by {about['ranks']} ranks, this run has {dist.get_world_size()}; "
                f"set train.ranks={about['ranks']} to resume, or remove that folder to start again"
            )
        try:
            with data_only():
                self.engine.load_checkpoint(str(self.folder), tag=about["name"], load_module_strict=False)
                state = torch.load(self.folder / about["name"] / f"state-{dist.get_rank()}.pt", weights_only=True)
        except UnpicklingError as error:
            raise ValueError(
                f"{self.folder / about['name']}: received {reason(error)}; expected a checkpoint as `save` writes it; "
                f"remove {self.folder} to start again"
            ) from error
        self.objective.load_state_dict(state["objective"])
        self.meter.load_state_dict(state.get("meter"))  # none in checkpoints of before it
        torch.set_rng_state(state["rng"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        return int(about["step"])

    def kept(self) -> str:
        """For messages: which one a next run would resume from."""
        latest = self.folder / LATEST
        if not latest.is_file():
            return "there is no checkpoint yet, so the next run starts again"
        return f"the last good checkpoint, {self.folder / json.loads(latest.read_text())['name']}, is kept"


def _flush(folder: Path) -> None:
    """To the disk: what this process wrote below, and the names."""
    for path in (*folder.rglob("*"), folder):
        disk.flush(path)
