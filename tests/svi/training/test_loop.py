"""The training loop on a real DeepSpeed engine, in this process."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from svi.backbones.backbone import Backbone
from svi.backbones.wan import WanBackbone
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.lora import adapter as lora
from svi.objectives.error_recycling import ErrorRecycling, TrainingSample
from svi.objectives.pretraining import Pretraining
from svi.settings import BackboneSettings, DataSettings, FlowSettings, TrainSettings
from svi.training import engine, ranks
from svi.training.loop import train
from svi.training.objective import TrainingObjective
from tests.svi.conftest import CONDITION, make_backbone, make_cache
from tests.svi.training.training_results import Weights, assert_close, assert_same, lines
from tests.svi.wan_folder import WanFolder

SETTINGS = TrainSettings(steps=6, batch=4, lr=1e-3, rank=4, alpha=4, checkpoint_every=2, log_every=3)


def trainable(model: nn.Module) -> Weights:
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


class World(NamedTuple):
    """A backbone, fresh every time, and its clips."""

    make: Callable[[], Backbone]
    cache: LatentCache


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(make_backbone, make_cache(make_backbone(), tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def wan(wan_folder: WanFolder, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Wan 2.1 in bfloat16."""
    data = DataSettings(clips=5, clip_frames=9, height=32, width=48)
    settings = BackboneSettings(name="folder", text_tokens=16, dtype="bfloat16")

    def make() -> Backbone:
        return WanBackbone.load(wan_folder("wan2.1-i2v"), settings, data)

    return World(make, make_cache(make(), tmp_path_factory.mktemp("wan"), data=data))


def recycling(backbone: Backbone, cache: LatentCache, folder: Path) -> ErrorRecycling:
    injection = InjectionSettings(img_run=1, img_spread="tile", p_clean=0.3, p_noi=0.3)
    settings = (FlowSettings(inference_steps=10), injection, BankSettings(capacity=3, warmup=2), CONDITION)
    return ErrorRecycling(backbone, cache, *settings, seed=0, folder=folder)


def stopping(objective: TrainingObjective, stop: int | None) -> TrainingObjective:
    """The same, but interrupted at the beginning of a step."""
    losses = objective.losses

    def interrupted(model: nn.Module, samples: range, micro: int, step: int, following: range) -> Iterator[Tensor]:
        if step == stop:
            raise KeyboardInterrupt
        return losses(model, samples, micro, step, following)

    objective.losses = interrupted  # type: ignore[method-assign]
    return objective


def trained(world: World, folder: Path, stop: int | None = None, **changes: Any) -> Weights:
    """A fresh model, trained; its adapter."""
    settings, backbone = SETTINGS.model_copy(update=changes), world.make()
    model = lora.adapted(backbone, settings)
    with recycling(backbone, world.cache, folder) as objective:
        stopping(objective, stop)
        return trainable(train(model, objective, settings, folder, lambda done, total: None))


@pytest.fixture(scope="module")
def plain(tiny: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Weights, Path]:
    """A run in this process, nothing special."""
    folder = tmp_path_factory.mktemp("plain")
    return trained(tiny, folder), folder


@pytest.fixture(params=["tiny float32", pytest.param("wan bfloat16", marks=pytest.mark.slow)])
def world(request: pytest.FixtureRequest) -> tuple[World, str]:
    """With the numbers to train in."""
    name, dtype = request.param.split()
    return request.getfixturevalue(name), dtype


def test_metrics(plain: tuple[Weights, Path]) -> None:
    weights, folder = plain
    assert max(float(v.abs().max()) for k, v in weights.items() if "lora_B" in k) > 0
    first, last = lines(folder)
    assert (first["step"], last["step"]) == (3, 6)
    assert {"train/loss", "train/grad_norm", "train/lr", "train/residual", "bank/fill", "time/bank_wait"} <= set(last)
    assert 0 < first["bank/fill"] < last["bank/fill"] < 1
    assert last["train/grad_norm"] > 0
    assert last["speed/tokens_per_s"] == pytest.approx(4 * 20 / last["time/step"])
    assert 0.1 < last["memory/host_gb"] < 100


@pytest.mark.parametrize("micro", [1, 2, 100])
def test_micro_batches_change_rounding_alone(
    plain: tuple[Weights, Path], tiny: World, tmp_path: Path, micro: int
) -> None:
    assert_close(trained(tiny, tmp_path, micro_batch=micro), plain[0], 1e-6)
    for found, expected in zip(lines(tmp_path), lines(plain[1]), strict=True):
        for name in ("train/loss", "train/grad_norm", "train/residual", "bank/fill"):
            assert found[name] == pytest.approx(expected[name], rel=1e-5), name


@pytest.mark.parametrize("mode", ["block", "offload"])
def test_checkpointed_activations_change_nothing(
    plain: tuple[Weights, Path], tiny: World, tmp_path: Path, mode: str
) -> None:
    assert_same(trained(tiny, tmp_path, checkpointing=mode), plain[0])


def test_checkpointed_activations_are_not_kept(cache: LatentCache) -> None:
    kept = {}
    for mode in ("none", "block"):
        backbone = make_backbone()
        model = lora.adapted(backbone, SETTINGS).train()
        engine.checkpoint_activations(model, mode)
        batch = cache.batch(range(4), [False] * 4, [0] * 4)
        sizes: list[int] = []

        def note(x: Tensor, sizes: list[int] = sizes) -> Tensor:
            sizes.append(x.numel())
            return x

        with torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
            backbone.velocity(model, batch.latents, torch.rand(4), batch.condition, batch.text)
        kept[mode] = sum(sizes)
    assert kept["block"] < 0.3 * kept["none"]


def test_interrupted_and_resumed_is_bit_identical(world: tuple[World, str], tmp_path: Path) -> None:
    there, dtype = world
    whole = trained(there, tmp_path / "whole", dtype=dtype)
    with pytest.raises(KeyboardInterrupt):
        trained(there, tmp_path / "cut", stop=5, dtype=dtype)
    assert_same(trained(there, tmp_path / "cut", dtype=dtype), whole)
    assert all(value.isfinite().all() for value in whole.values())
    assert max(float(v.abs().max()) for k, v in whole.items() if "lora_B" in k) > 0
    assert [line["step"] for line in lines(tmp_path / "cut")] == [3, 6]


def test_resumed_with_other_micro_batches(plain: tuple[Weights, Path], tiny: World, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        trained(tiny, tmp_path, stop=5, micro_batch=1)
    assert_close(trained(tiny, tmp_path, micro_batch=2, checkpointing="block"), plain[0], 1e-6)


def test_the_moving_average_of_a_fully_trained_model_resumes_too(cache: LatentCache, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"adapter": "full"})

    def run(folder: Path, stop: int | None = None) -> tuple[Weights, Weights]:
        folder.mkdir(exist_ok=True)
        backbone = make_backbone()
        model = lora.adapted(backbone, settings)
        objective = stopping(Pretraining(backbone, cache, shift=3.0, seed=0, condition=CONDITION), stop)
        average = train(model, objective, settings, folder, lambda done, total: None, ema=0.5)
        return trainable(average), trainable(model)

    average, last = run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", stop=5)
    assert_same(run(tmp_path / "cut")[0], average)
    assert any(not torch.equal(average[name], last[name]) for name in average)


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(
    world: tuple[World, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step 4 would write a checkpoint; one of its samples is not a number."""
    there, dtype = world
    draw = ErrorRecycling.draw

    def spoiled(self: ErrorRecycling, k: int) -> TrainingSample:
        sample = draw(self, k)
        return replace(sample, noise=sample.noise * torch.nan) if k == 4 * 3 + 1 else sample

    monkeypatch.setattr(ErrorRecycling, "draw", spoiled)
    said = r"train/loss is nan .*at step 4; the last good checkpoint, .*step-0000002, is kept"
    with pytest.raises(ValueError, match=said):
        trained(there, tmp_path, micro_batch=1, dtype=dtype)
    assert [p.name for p in (tmp_path / "checkpoints").glob("step-*")] == ["step-0000002"]
    monkeypatch.undo()
    resumed = trained(there, tmp_path, dtype=dtype)
    assert all(value.isfinite().all() for value in resumed.values())


def test_a_gradient_that_is_not_finite_stops_the_run(world: tuple[World, str], tmp_path: Path) -> None:
    there, dtype = world
    backbone, settings = there.make(), SETTINGS.model_copy(update={"dtype": dtype})
    model = lora.adapted(backbone, settings)
    next(p for name, p in model.named_parameters() if "lora_B" in name).register_hook(lambda grad: grad / 0)  # type: ignore[no-untyped-call]
    with (
        recycling(backbone, there.cache, tmp_path) as objective,
        pytest.raises(ValueError, match=r"^train/grad_norm is (inf|nan) at step 1; there is no checkpoint yet"),
    ):
        train(model, objective, settings, tmp_path, lambda done, total: None)


def test_a_weight_that_is_not_finite_after_the_last_step_stops_the_run(tiny: World, tmp_path: Path) -> None:
    """Loss and gradient are those of before the step."""
    backbone, settings = tiny.make(), SETTINGS.model_copy(update={"steps": 1, "lr": float("inf")})
    model = lora.adapted(backbone, settings)
    with (
        recycling(backbone, tiny.cache, tmp_path) as objective,
        pytest.raises(ValueError, match=r"^a weight is no longer finite at step 1; there is no checkpoint yet"),
    ):
        train(model, objective, settings, tmp_path, lambda done, total: None)


def test_weights_that_lie_in_pieces_are_looked_at_too() -> None:
    ranks.join()
    model: Any = nn.Linear(400, 400, bias=False)  # large enough for ZeRO-3 to take apart
    engine.engine_for(model, SETTINGS.model_copy(update={"dtype": "bfloat16", "zero": 3}))
    assert model.weight.numel() == 0
    assert engine.weights_finite(model)
    model.weight.ds_tensor.data[7] = torch.nan
    assert not engine.weights_finite(model)


def test_what_fills_up_the_last_piece_does_not_count() -> None:
    ranks.join()
    weight: Any = nn.Parameter(torch.empty(0))
    weight.ds_tensor, weight.ds_numel = torch.tensor([1.0, 2.0, torch.nan, torch.nan]), 2
    model = nn.Module()
    model.weight = weight
    assert engine.weights_finite(model)


@pytest.mark.parametrize(
    ("changes", "world", "message"),
    [
        ({"batch": 8, "ranks": 3}, 3, "8, which 3 ranks cannot share equally; set train.batch=6 or 9"),
        ({"batch": 2, "ranks": 4}, 4, "set train.batch=4, or a train.ranks that divides 2"),
        ({"batch": 8, "ranks": 2, "micro_batch": 3}, 2, "does not divide the 4 clips of a rank .* set one of 1, 2, 4"),
        ({"ranks": 4}, 8, "train.ranks is 4, but 8 processes were started; set train.ranks=8"),
    ],
)
def test_a_batch_that_cannot_be_shared_is_refused(changes: dict[str, Any], world: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine.micro_batch(SETTINGS.model_copy(update=changes), world)


def test_bf16_keeps_what_diffusers_keeps_in_float32(wan: World) -> None:
    backbone = wan.make()
    before = {name: p.detach().clone() for name, p in backbone.transformers["transformer"].named_parameters()}
    model = lora.adapted(backbone, SETTINGS)
    ranks.join()
    engine.engine_for(model, SETTINGS.model_copy(update={"dtype": "bfloat16"}))
    after = {n.replace("base_layer.", ""): p for n, p in backbone.transformers["transformer"].named_parameters()}
    assert all(torch.equal(after[name], value) and after[name].dtype == value.dtype for name, value in before.items())
    assert {value.dtype for value in before.values()} == {torch.float32, torch.bfloat16}
    assert {p.dtype for name, p in after.items() if "lora_" in name} == {torch.bfloat16}
