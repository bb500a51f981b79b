"""Objectives that learn from rollouts, on real models: the tiny one, and random Wans in files."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from svi.axes import DistillationSettings, RolloutSettings
from svi.backbones.backbone import Backbone, Condition
from svi.backbones.wan import WanBackbone
from svi.data import world
from svi.data.cache import LatentCache
from svi.data.cache_writer import write_cache
from svi.data.footage import open_footage
from svi.generation.generator import Generator
from svi.generation.reel import Script
from svi.lora import adapter
from svi.objectives.objective import Objective, Setup
from svi.settings import (
    BackboneSettings,
    ConditionSettings,
    DataSettings,
    FlowSettings,
    GenerateSettings,
    TrainSettings,
)
from svi.training.loop import train
from tests.svi.conftest import CONDITION, DATA, make_backbone

BATCH = 4
LORA = TrainSettings(steps=6, batch=BATCH, lr=1e-2, rank=4, alpha=4, checkpoint_every=2, log_every=3)
WHOLE = LORA.model_copy(update={"adapter": "full", "lr": 1e-3})
ROLLOUT = RolloutSettings(clips=3, starts=4, every=4)
GENERATE = GenerateSettings(steps=3, shift=3.0, guidance=1.0)
FEW = GENERATE.model_copy(update={"solver": "renoise"})


def settings(
    generate: GenerateSettings = GENERATE,
    data: DataSettings = DATA,
    train: TrainSettings = LORA,
    condition: ConditionSettings = CONDITION,
    **rollout: Any,
) -> SimpleNamespace:
    """Sections as a stage reads them."""
    return SimpleNamespace(
        data=data,
        train=train,
        generate=generate,
        condition=condition,
        flow=FlowSettings(),
        rollout=ROLLOUT.model_copy(update=rollout),
        distillation=DistillationSettings(critic_updates=2),
    )


def setup(folder: Path, read: SimpleNamespace, backbone: Backbone | None = None) -> Setup:
    """Of a fresh tiny backbone, unless another is given; with a LoRA, or to be trained whole, as `read.train` says."""
    backbone = backbone or make_backbone()
    expert = next(iter(backbone.transformers))
    write_cache(
        backbone, open_footage(read.data), read.condition, read.data, folder / "cache", lambda done, total: None
    )
    cache = LatentCache.open(folder / "cache", read.train.clips)
    return Setup(backbone, cache, read, 0, folder, adapter.adapted(backbone, read.train, expert), expert)


class Evaluation(NamedTuple):
    """One that a backbone was asked for."""

    model: nn.Module
    condition: Condition
    gradient: bool


@contextmanager
def evaluations(backbone: Backbone) -> Iterator[list[Evaluation]]:
    """Notes them all."""
    seen: list[Evaluation] = []
    velocity = backbone.velocity

    def noting(model: nn.Module, x: Tensor, t: Tensor, condition: Condition, *rest: Any) -> Tensor:
        seen.append(Evaluation(model, condition, torch.is_grad_enabled()))
        return velocity(model, x, t, condition, *rest)

    backbone.velocity = noting  # type: ignore[method-assign]
    yield seen
    backbone.velocity = velocity  # type: ignore[method-assign]


def stepped(objective: Objective, model: nn.Module, step: int = 0) -> Tensor:
    """The loss of one step, propagated back."""
    (loss,) = objective.losses(model, range(step * BATCH, (step + 1) * BATCH), BATCH, step, range(0))
    torch.autograd.backward(loss)
    return loss.detach()


def trained(
    kind: type[Objective], folder: Path, stop: int | None = None, **changes: Any
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """By the real loop, from its last checkpoint on: what was trained, and the objective's state. Stops before a step."""
    folder.mkdir(exist_ok=True)
    made = setup(folder, settings(**changes))
    with kind(made) as objective:
        losses = objective.losses

        def until(model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
            if step == stop:
                raise KeyboardInterrupt
            return losses(model, samples, micro, step, following)

        objective.losses = until  # type: ignore[method-assign]
        model = train(made.model, objective, made.settings.train, folder, lambda done, total: None)
        weights = {name: x.detach().clone() for name, x in model.named_parameters() if x.requires_grad}
        return weights, objective.state_dict()


def interrupted(kind: type[Objective], root: Path, **changes: Any) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What `trained` gives, which is the same to the bit after an interruption before step 3."""
    whole = trained(kind, root / "whole", **changes)
    with pytest.raises(KeyboardInterrupt):
        trained(kind, root / "cut", stop=3, **changes)
    assert same(trained(kind, root / "cut", **changes), whole)
    return whole


def same(one: Any, other: Any) -> bool:
    """Whether two states are the same to the bit."""
    if isinstance(one, Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def open_wan(folder: Path, **rollout: Any) -> tuple[WanBackbone, SimpleNamespace]:
    """A random Wan that makes clips of the embedded world, and settings for it."""
    data = DataSettings(clips=5, clip_frames=9, height=32, width=64)
    read = settings(data=data, condition=ConditionSettings(motion_frames=1, padding="zeros"), **rollout)
    return WanBackbone.load(folder, BackboneSettings(name="folder", text_tokens=16), data), read


def two_clips(backbone: Backbone, model: nn.Module, read: SimpleNamespace, folder: Path) -> np.ndarray:
    """A film of the trained model. [1, F, H, W, 3]"""
    scene = world.draw_scene(np.random.default_rng(1), read.data.height, read.data.width)
    script = Script("film", world.render([scene])[0], (scene.prompt, scene.prompt))
    lossless = SimpleNamespace(generate=read.generate.model_copy(update={"lossless": True}), condition=read.condition)
    folder.mkdir()
    generator = Generator(backbone, {next(iter(backbone.transformers)): model}, lossless)
    generator.films([script], 2 * read.data.clip_frames - 1, 8, folder, lambda done, total: None)
    return np.load(folder / "frames.npy")


def steps_on_wan(
    kind: type[Objective], folder: Path, backbone: WanBackbone, read: SimpleNamespace, steps: int = 1
) -> Objective | None:
    """The objective after some steps, the last of which has a gradient, and two clips of the model; none for one of two experts."""
    made = setup(folder, read, backbone)
    if len(backbone.transformers) > 1:
        with pytest.raises(ValueError, match="cannot make a clip"):
            kind(made)
        return None
    objective = kind(made)
    losses = [stepped(objective, made.model, step) for step in range(steps)]
    assert all(loss.isfinite() for loss in losses)
    assert any(weight.grad is not None and weight.grad.any() for weight in made.model.parameters())
    assert two_clips(backbone, made.model, read, folder / "film").shape == (1, 17, 32, 64, 3)
    return objective
