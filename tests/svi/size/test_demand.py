"""What is counted on tensors without numbers: memory and work of real Wan classes, small and at true size."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from svi.backbones.architectures import ARCHITECTURES, Architecture
from svi.backbones.catalogue import MODELS, Geometry
from svi.perf.memory import SMALL
from svi.settings import BackboneSettings, DataSettings, TrainSettings
from svi.size import demand
from svi.size.live import counted

TRAIN = TrainSettings(rank=4, alpha=4, batch=1)


def with_layers(count: int) -> demand.Model:
    built = {**SMALL.architecture.transformer, "num_layers": count}
    return replace(SMALL, architecture=Architecture(built, SMALL.architecture.vae))


def published(name: str) -> demand.Model:
    model = MODELS[name]
    clip = DataSettings(clip_frames=model.frames, height=model.height, width=model.width, fps=model.fps)
    return demand.Model(ARCHITECTURES[name], model.geometry, BackboneSettings(name=name, dtype="bfloat16"), clip)


def test_tensors_are_counted_while_they_live() -> None:
    with counted() as live:
        a = torch.zeros(1000)
        b = a[:10]  # the same memory
        c = a @ a.view(1, -1).T
        assert live.now == 4000 + 4
        del a
        assert live.now == 4000 + 4
        del b, c
    assert (live.now, live.most) == (0, 4004)
    assert live.flops >= 2000


@pytest.mark.parametrize("checkpointing", ["none", "block"])
def test_two_blocks_tell_what_five_take(checkpointing: Any) -> None:
    model, train = with_layers(5), TRAIN.model_copy(update={"checkpointing": checkpointing})
    run = demand._step(model, train, 5, 1)
    foretold = demand.training_step(model, train)
    assert foretold.flops == run.live.flops
    moments = demand.ADAM * run.trained
    assert foretold.peak - moments == pytest.approx(run.live.most, rel=0.02)


def test_a_training_step_at_true_size() -> None:
    """6.4e15 FLOP a step and 1.7e15 a call, as arithmetic by hand has it; and what is loaded of a model of 16.4e9 numbers."""
    model = published("wan2.1-i2v-14b-480p")
    called = demand.call(model)
    assert called.flops == pytest.approx(1.7e15, rel=0.02)
    assert called.weights == pytest.approx(2 * 16.4e9, rel=0.01)
    train = TrainSettings(dtype="bfloat16", checkpointing="block", batch=1)
    step = demand.training_step(model, train)
    assert step.flops == pytest.approx(6.4e15, rel=0.03)


def test_what_is_shared_or_put_away_takes_less() -> None:
    model, train = with_layers(9), TRAIN.model_copy(update={"checkpointing": "block"})
    step = demand.training_step(model, train)
    away = demand.training_step(model, train.model_copy(update={"checkpointing": "offload"}))
    assert step.activations - away.activations == away.host > 0
    shared = demand.training_step(model, train.model_copy(update={"batch": 8, "ranks": 8, "zero": 3}))
    assert shared.weights < step.weights / 7
    assert shared.optimiser < step.optimiser


def test_a_model_without_an_image_branch() -> None:
    built = {**SMALL.architecture.transformer, "image_dim": None, "added_kv_proj_dim": None}
    model = replace(SMALL, architecture=Architecture(built, SMALL.architecture.vae), geometry=Geometry())
    assert demand.call(model).weights < demand.call(SMALL).weights
    assert model.image_bytes == 0
