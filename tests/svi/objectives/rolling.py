"""Objectives that learn from rollouts, on real models: the tiny one, and random Wans in files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from svi.axes import DistillationSettings, RolloutSettings
from svi.backbones.backbone import Backbone, Condition
from svi.backbones.wan import WanBackbone
from svi.lora import adapter
from svi.objectives.objective import Objective, Setup
from svi.settings import BackboneSettings, DataSettings, FlowSettings, GenerateSettings, TrainSettings
from tests.svi.conftest import CONDITION, DATA, make_cache

BATCH = 4
TRAIN = TrainSettings(steps=6, batch=BATCH, lr=1e-3, rank=4, alpha=4, checkpoint_every=2, log_every=3)
ROLLOUT = RolloutSettings(clips=3, starts=4, every=2)
GENERATE = GenerateSettings(steps=3, shift=3.0, guidance=1.0)


def settings(
    data: DataSettings = DATA, train: TrainSettings = TRAIN, generate: GenerateSettings = GENERATE, **rollout: Any
) -> SimpleNamespace:
    """Sections as a stage reads them."""
    return SimpleNamespace(
        data=data,
        train=train,
        generate=generate,
        condition=CONDITION,
        flow=FlowSettings(),
        rollout=ROLLOUT.model_copy(update=rollout),
        distillation=DistillationSettings(critic_updates=2),
    )


def setup(backbone: Backbone, folder: Path, read: SimpleNamespace) -> Setup:
    """With a LoRA, or a model that is trained whole, as `read.train` says."""
    expert = next(iter(backbone.transformers))
    model = adapter.adapted(backbone, read.train, expert)
    cache = make_cache(backbone, folder / "cache", data=read.data)
    return Setup(backbone, cache, read, 0, folder, model, expert)


def wan(folder: Path) -> tuple[WanBackbone, DataSettings]:
    """A random Wan that makes clips of the embedded world."""
    data = DataSettings(clips=5, clip_frames=9, height=32, width=48)
    return WanBackbone.load(folder, BackboneSettings(name="folder", text_tokens=16), data), data


def steps(objective: Objective, model: nn.Module, todo: range, micro: int = BATCH) -> list[Tensor]:
    """The losses of these steps, each followed by plain gradient descent, as an engine would do it."""
    losses = []
    for step in todo:
        for loss in objective.losses(model, range(step * BATCH, (step + 1) * BATCH), micro, step, range(0)):
            torch.autograd.backward(loss)
            losses.append(loss.detach())
        with torch.no_grad():
            for weight in model.parameters():
                if weight.grad is not None:
                    weight -= 0.1 * weight.grad
                    weight.grad = None
    return losses


@contextmanager
def velocities(backbone: Backbone) -> Iterator[list[tuple[nn.Module, Condition, bool]]]:
    """Notes every evaluation: the model, its condition, and whether gradients were on."""
    seen: list[tuple[nn.Module, Condition, bool]] = []
    velocity = backbone.velocity

    def noting(model: nn.Module, x: Tensor, t: Tensor, condition: Condition, *rest: Any) -> Tensor:
        seen.append((model, condition, torch.is_grad_enabled()))
        return velocity(model, x, t, condition, *rest)

    backbone.velocity = noting  # type: ignore[method-assign]
    yield seen
    backbone.velocity = velocity  # type: ignore[method-assign]
