"""The training loop, on a DeepSpeed engine, and its checkpoints: weights, optimiser, RNG, moving average and bank."""

import json
import math
import os
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch._C._distributed_c10d import HashStore
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from svi.objective import Objective
from svi.settings import TrainSettings

LOWER = "the last checkpoint is kept; run again with a lower learning rate"
Progress = Callable[[int, int], None]


def train(
    model: nn.Module, objective: Objective, settings: TrainSettings, folder: Path, progress: Progress, ema: float = 0.0
) -> nn.Module:
    """Train `model` in place for settings.steps, resuming from the last checkpoint in `folder`; returns what to keep.

    That is the model, or with `ema` > 0 the moving average of its weights. Metrics go to metrics.jsonl. Raises ValueError when the
    loss is no longer finite; the last checkpoint is kept.
    """
    engine = engine_for(model, settings)
    rank, share = dist.get_rank(), settings.batch // dist.get_world_size()
    moving: Any = get_ema_multi_avg_fn
    average = AveragedModel(model, multi_avg_fn=moving(ema)) if ema else None
    checkpoints = Checkpoints(folder / "checkpoints", engine, objective, average)
    first = checkpoints.load()
    metrics = Metrics(folder / "metrics.jsonl", resume_at=first) if rank == 0 else None
    engine.train()
    for step in range(first, settings.steps):
        for group in engine.optimizer.param_groups:
            group["lr"] = learning_rate(settings, step)
        start = step * settings.batch + rank * share
        result = objective.step(engine, range(start, start + share), step)
        engine.backward(result.loss)
        engine.step()
        if average is not None:
            average.update_parameters(model)
        done = step + 1
        last = done == settings.steps
        if done % settings.log_every == 0 or last:
            loss = _finite(float(result.loss.detach()), done)
            if metrics is not None:
                metrics.write(done, {"train/loss": loss, "train/lr": learning_rate(settings, step), **result.log})
                progress(done, settings.steps)
        if done % settings.checkpoint_every == 0 and not last:
            if not all(bool(p.isfinite().all()) for p in model.parameters() if p.requires_grad):
                raise ValueError(f"a weight is no longer finite after step {done}; {LOWER}")
            checkpoints.save(done)
    return average.module if average is not None else model


def _finite(loss: float, step: int) -> float:
    if not math.isfinite(loss):
        raise ValueError(f"the loss is {loss} at step {step}; {LOWER}")
    return loss


class Metrics:
    """Metrics as one JSON object a line."""

    def __init__(self, file: Path, resume_at: int) -> None:
        """Lines past step `resume_at` belong to a run that was cut short and are dropped."""
        self.file, self.since = file, time.time()
        old = file.read_text().splitlines() if file.is_file() else []
        complete = [line for line in old if line.endswith("}") and json.loads(line)["step"] <= resume_at]
        file.write_text("".join(f"{line}\n" for line in complete))

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append the values of one step, with the time."""
        with self.file.open("a") as lines:
            lines.write(json.dumps({"step": step, "time": time.time(), **values}) + "\n")


class Checkpoints:
    """Complete states of a training run, one folder a step; `latest` names the last complete one."""

    def __init__(self, folder: Path, engine: Any, objective: Objective, average: nn.Module | None) -> None:
        """In `folder`, shared by all ranks."""
        self.folder, self.engine, self.objective, self.average = folder, engine, objective, average

    def save(self, step: int) -> None:
        """Write the state after `step` steps, name it the latest, then remove the one before."""
        name = f"step-{step:07d}"
        self.engine.save_checkpoint(str(self.folder), tag=name, save_latest=False, exclude_frozen_parameters=True)
        state = {"objective": self.objective.state_dict(), "rng": torch.get_rng_state()}
        if self.average is not None:
            state["average"] = self.average.state_dict()
        torch.save(state, self.folder / name / f"state-{dist.get_rank()}.pt")
        dist.barrier()
        if dist.get_rank() == 0:
            fresh = self.folder / "latest.tmp"
            fresh.write_text(json.dumps({"name": name, "step": step, "ranks": dist.get_world_size()}))
            fresh.replace(self.folder / "latest.json")
            for old in self.folder.glob("step-*"):
                if old.name != name:
                    shutil.rmtree(old)

    def load(self) -> int:
        """Restore the latest state and return its step; 0 if there is none. Raises ValueError if it was made by other ranks."""
        latest = self.folder / "latest.json"
        if not latest.is_file():
            return 0
        about = json.loads(latest.read_text())
        if about["ranks"] != dist.get_world_size():
            raise ValueError(
                f"the checkpoint {self.folder} was made by {about['ranks']} ranks, this run has {dist.get_world_size()}; "
                f"set train.ranks={about['ranks']} to resume, or remove that folder to start again"
            )
        self.engine.load_checkpoint(str(self.folder), tag=about["name"], load_module_strict=False)
        state = torch.load(self.folder / about["name"] / f"state-{dist.get_rank()}.pt", weights_only=True)
        self.objective.load_state_dict(state["objective"])
        torch.set_rng_state(state["rng"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        return int(about["step"])


def learning_rate(settings: TrainSettings, step: int) -> float:
    """Constant, or cosine from lr to 0 over the steps."""
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * 0.5 * (1 + math.cos(math.pi * step / settings.steps))


def _single_process() -> None:
    """A process group of one, over no network, unless a launcher started this process or it has one already."""
    if "WORLD_SIZE" in os.environ or dist.is_initialized():
        return
    os.environ.setdefault("LOCAL_RANK", "0")  # which DeepSpeed asks for
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", store=HashStore(), rank=0, world_size=1)


def engine_for(model: nn.Module, settings: TrainSettings) -> Any:
    """A DeepSpeed engine over the trainable parameters: AdamW, gradient clipping, ZeRO-2 when there is more than one rank."""
    import deepspeed
    from deepspeed.ops import __compatible_ops__

    _single_process()
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        __compatible_ops__["deepspeed_shm_comm"] = False  # would be compiled at start; gloo serves as well
    deepspeed.init_distributed("nccl" if on_gpu else "gloo", verbose=False)
    world = dist.get_world_size()
    if settings.batch % world:
        raise ValueError(
            f"train.batch is {settings.batch}, which {world} ranks cannot share equally; set a multiple of {world}"
        )
    optimizer = torch.optim.AdamW(
        [p for p in model.parameters() if p.requires_grad],
        lr=settings.lr,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    engine, *_ = deepspeed.initialize(
        model=model,
        optimizer=optimizer,
        config={
            "train_batch_size": settings.batch,
            "train_micro_batch_size_per_gpu": settings.batch // world,
            "gradient_clipping": settings.grad_clip,
            "zero_optimization": {"stage": 2 if world > 1 else 0},
            "zero_allow_untested_optimizer": True,
            "zero_force_ds_cpu_optimizer": False,
            "steps_per_print": 10**9,
        },
    )
    return engine
