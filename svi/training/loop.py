"""The training loop, on a DeepSpeed engine: shares of a step, metrics, checkpoints, a stop at the first bad number."""

import json
import math
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from svi.artifacts import CHECKPOINTS, METRICS
from svi.disk import write_whole
from svi.frames import Progress
from svi.settings import TrainSettings
from svi.training import ranks
from svi.training.budget import Budget
from svi.training.checkpoints import Checkpoints
from svi.training.engine import engine_for, take_step, weights_finite
from svi.training.objective import TrainingObjective


def train(
    model: nn.Module,
    objective: TrainingObjective,
    settings: TrainSettings,
    folder: Path,
    progress: Progress,
    ema: float = 0.0,
    budget: Budget | None = None,
) -> nn.Module:
    """Train `model` in place until the budget (none: settings.steps) is spent; returns what to keep.

    That is the model, or with `ema` > 0 the moving average of its weights. It resumes from the last checkpoint in `folder`, which
    also keeps what the budget's meter has counted. Metrics go to metrics.jsonl. All ranks call it.

    Raises ValueError for settings that the ranks cannot share, and when loss, gradient or a weight is no longer finite: the last
    good checkpoint is kept.
    """
    ranks.join()
    engine = engine_for(model, settings)
    moving: Any = get_ema_multi_avg_fn
    average = AveragedModel(model, multi_avg_fn=moving(ema)) if ema else None
    budget = budget or Budget(settings)
    checkpoints = Checkpoints(folder / CHECKPOINTS, engine, objective, average, budget.meter)
    budget.steps = checkpoints.load()
    writes = dist.get_rank() == 0
    metrics = Metrics(folder / METRICS, budget.steps) if writes else None
    pace = Pace(settings.batch * objective.tokens)
    engine.train()
    spent = budget.spent
    while spent < budget.whole:
        pace.start()
        step, lr = budget.steps, learning_rate(settings, spent, budget.whole)
        for group in engine.optimizer.param_groups:
            group["lr"] = lr
        values = _step(engine, objective, settings, step)
        if average is not None:
            average.update_parameters(model)
        pace.stop()
        done = budget.steps = step + 1
        spent = budget.spent
        last = spent >= budget.whole
        wrong = [f"{name} is {value}" for name, value in values.items() if not math.isfinite(value)]
        if wrong:
            raise _stopped(" and ".join(wrong), done, checkpoints)
        if metrics is not None and (done % settings.log_every == 0 or last):
            values = {**values, "train/lr": lr, **objective.log(), **pace.since_last()}
            metrics.write(done, values)
            progress(min(settings.steps * spent // budget.whole, settings.steps), settings.steps)
        if done % settings.checkpoint_every == 0 or last:
            if not weights_finite(model):
                raise _stopped("a weight is no longer finite", done, checkpoints)
            if not last:
                checkpoints.save(done)
    return average.module if average is not None else model


def _step(engine: Any, objective: TrainingObjective, settings: TrainSettings, step: int) -> dict[str, float]:
    """One optimiser step on this rank's share of the batch: the loss over all ranks, and the gradient's norm before clipping."""
    losses, norm = [], 0.0
    micro = engine.train_micro_batch_size_per_gpu()
    for loss in objective.losses(engine, share_of(settings, step), micro, step, share_of(settings, step + 1)):
        engine.backward(loss)
        norm = take_step(engine, settings.grad_clip)
        losses.append(loss.detach())
    norm = norm if norm >= 0 else math.nan  # DeepSpeed's sign of a gradient that is not finite
    return {"train/loss": float(ranks.mean(torch.stack(losses).mean())), "train/grad_norm": norm}


def share_of(settings: TrainSettings, step: int) -> range:
    """Global indices of the samples that this rank takes of a step; none after the last one, where that is known."""
    if settings.budget == "steps" and step >= settings.steps:
        return range(0)
    share = settings.batch // dist.get_world_size()
    start = step * settings.batch + dist.get_rank() * share
    return range(start, start + share)


def _stopped(why: str, step: int, checkpoints: Checkpoints) -> ValueError:
    return ValueError(f"{why} at step {step}; {checkpoints.kept()}; run again with a lower learning rate (train.lr)")


def learning_rate(settings: TrainSettings, spent: int, whole: int) -> float:
    """Constant, or cosine from lr to 0 over what may be spent."""
    if settings.schedule == "constant":
        return settings.lr
    return settings.lr * 0.5 * (1 + math.cos(math.pi * spent / whole))


class Metrics:
    """Metrics as one JSON object a line."""

    def __init__(self, file: Path, resume_at: int) -> None:
        """Lines past step `resume_at` belong to a run that was cut short and are dropped."""
        self.file = file
        old = file.read_text().splitlines() if file.is_file() else []
        complete = [line for line in old if line.endswith("}") and json.loads(line)["step"] <= resume_at]
        write_whole(file, "".join(f"{line}\n" for line in complete).encode())

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Append the values of one step, with the time."""
        with self.file.open("a") as lines:
            lines.write(json.dumps({"step": step, "time": time.time(), **values}) + "\n")


class Pace:
    """Seconds a step, tokens a second and peak memory of this process."""

    def __init__(self, tokens: int) -> None:
        """`tokens` a step over all ranks."""
        self.tokens, self.seconds, self.steps, self.started = tokens, 0.0, 0, 0.0

    def start(self) -> None:
        self.started = time.perf_counter()

    def stop(self) -> None:
        self.seconds += time.perf_counter() - self.started
        self.steps += 1

    def since_last(self) -> dict[str, float]:
        """Means over the steps since the last call, and memory in 10^9 bytes."""
        mean = self.seconds / self.steps
        self.seconds, self.steps = 0.0, 0
        memory = {"memory/host_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}
        if torch.cuda.is_available():
            memory["memory/device_gb"] = torch.cuda.max_memory_allocated() / 1e9
        return {"time/step": mean, "speed/tokens_per_s": self.tokens / mean, **memory}
