"""The training loop on a real DeepSpeed engine: in this process, and (slow) in several, some of which die."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from svi import engine, lora, ranks
from svi.backbone import Backbone
from svi.cache import LatentCache
from svi.objective import ErrorRecycling, FlowMatching, Objective, Sample
from svi.settings import (
    BackboneSettings,
    BankSettings,
    DataSettings,
    FlowSettings,
    InjectionSettings,
    TrainSettings,
)
from svi.train import train
from svi.wan import WanBackbone
from tests.svi.conftest import CONDITION, make_backbone, make_cache
from tests.svi.wan_folder import write_wan_folder

SCRIPT = Path(__file__).parent / "training_run.py"
SETTINGS = TrainSettings(steps=6, batch=4, lr=1e-3, rank=4, alpha=4, checkpoint_every=2, log_every=3)
Weights = dict[str, Tensor]


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
def wan(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Wan 2.1 in bfloat16."""
    folder = tmp_path_factory.mktemp("wan")
    write_wan_folder(folder / "model", "wan2.1-i2v")
    data = DataSettings(clips=5, clip_frames=9, height=32, width=48)
    settings = BackboneSettings(name="folder", text_tokens=16, dtype="bfloat16")

    def make() -> Backbone:
        return WanBackbone.load(folder / "model", settings, data)

    return World(make, make_cache(make(), folder / "cache", data=data))


def recycling(backbone: Backbone, cache: LatentCache, folder: Path) -> ErrorRecycling:
    injection = InjectionSettings(img_run=1, img_spread="tile", p_clean=0.3, p_noi=0.3)
    settings = (FlowSettings(inference_steps=10), injection, BankSettings(capacity=3, warmup=2), CONDITION)
    return ErrorRecycling(backbone, cache, *settings, seed=0, folder=folder)


def stopping(objective: Objective, stop: int | None) -> Objective:
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


def assert_close(found: Weights, expected: Weights, atol: float = 1e-5) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=atol, rtol=1e-4)


def assert_same(found: Weights, expected: Weights) -> None:
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []


def lines(folder: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def plain(tiny: World, tmp_path_factory: pytest.TempPathFactory) -> tuple[Weights, Path]:
    """A run in this process, nothing special."""
    folder = tmp_path_factory.mktemp("plain")
    return trained(tiny, folder), folder


@pytest.fixture(params=["tiny float32", "wan bfloat16"])
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
    place, dtype = world
    whole = trained(place, tmp_path / "whole", dtype=dtype)
    with pytest.raises(KeyboardInterrupt):
        trained(place, tmp_path / "cut", stop=5, dtype=dtype)
    assert_same(trained(place, tmp_path / "cut", dtype=dtype), whole)
    assert all(value.isfinite().all() for value in whole.values())
    assert max(float(v.abs().max()) for k, v in whole.items() if "lora_B" in k) > 0
    assert [line["step"] for line in lines(tmp_path / "cut")] == [3, 6]


def test_the_moving_average_of_a_fully_trained_model_resumes_too(cache: LatentCache, tmp_path: Path) -> None:
    settings = SETTINGS.model_copy(update={"adapter": "full"})

    def run(folder: Path, stop: int | None = None) -> tuple[Weights, Weights]:
        folder.mkdir(exist_ok=True)
        backbone = make_backbone()
        model = lora.adapted(backbone, settings)
        objective = stopping(FlowMatching(backbone, cache, shift=3.0, seed=0), stop)
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
    place, dtype = world
    draw = ErrorRecycling.draw

    def spoiled(self: ErrorRecycling, k: int) -> Sample:
        sample = draw(self, k)
        return replace(sample, noise=sample.noise * torch.nan) if k == 4 * 3 + 1 else sample

    monkeypatch.setattr(ErrorRecycling, "draw", spoiled)
    said = r"train/loss is nan .*at step 4; the last good checkpoint, .*step-0000002, is kept"
    with pytest.raises(ValueError, match=said):
        trained(place, tmp_path, micro_batch=1, dtype=dtype)
    assert [p.name for p in (tmp_path / "checkpoints").glob("step-*")] == ["step-0000002"]
    monkeypatch.undo()
    resumed = trained(place, tmp_path, dtype=dtype)
    assert all(value.isfinite().all() for value in resumed.values())


def test_a_gradient_that_is_not_finite_stops_the_run(world: tuple[World, str], tmp_path: Path) -> None:
    place, dtype = world
    backbone, settings = place.make(), SETTINGS.model_copy(update={"dtype": dtype})
    model = lora.adapted(backbone, settings)
    next(p for name, p in model.named_parameters() if "lora_B" in name).register_hook(lambda grad: grad / 0)  # type: ignore[no-untyped-call]
    with (
        recycling(backbone, place.cache, tmp_path) as objective,
        pytest.raises(ValueError, match=r"^train/grad_norm is (inf|nan) at step 1; there is no checkpoint yet"),
    ):
        train(model, objective, settings, tmp_path, lambda done, total: None)


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


# Runs in processes of their own


def run(
    folder: Path, options: dict[str, Any] | None = None, world: int = 1, code: int = 0, path: str = os.environ["PATH"]
) -> str:
    """The script in `world` processes, told who they are as a launcher would; all must end with this exit code. Their errors."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    env = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu", "PATH": path}
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        env.pop(name, None)
    command = [sys.executable, str(SCRIPT), str(folder), json.dumps(options or {})]
    folder.mkdir(exist_ok=True)
    processes = []
    for rank in range(world):
        if world > 1:
            told = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(world)}
            env.update(told, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        with (folder / f"errors-{rank}.txt").open("w") as errors:
            processes.append(subprocess.Popen(command, env=env, stdout=errors, stderr=errors))
    until = time.monotonic() + 300
    while any(process.poll() is None for process in processes):
        if any(process.poll() not in (None, code) for process in processes) or time.monotonic() > until:
            for process in processes:
                process.kill()
        time.sleep(0.1)
    said = "".join((folder / f"errors-{rank}.txt").read_text() for rank in range(world))
    assert [process.returncode for process in processes] == [code] * world, said[-3000:]
    return said


def result(folder: Path, options: dict[str, Any] | None = None, world: int = 1, **more: Any) -> Weights:
    """What rank 0 wrote: adapter and bank."""
    run(folder, options, world, **more)
    weights: Weights = load_file(folder / "result.safetensors")
    return weights


def die(folder: Path, options: dict[str, Any], world: int = 1) -> None:
    """Processes that kill themselves."""
    run(folder, options, world, code=-signal.SIGKILL)
    assert not (folder / "result.safetensors").exists()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Weights, Path]:
    folder = tmp_path_factory.mktemp("undisturbed")
    return result(folder, path="/nonexistent"), folder  # no compiler on the PATH


@pytest.mark.slow
@pytest.mark.parametrize(
    "kill",
    [
        ("losses", 4),  # before there is a checkpoint
        ("losses", 13),
        ("bank.add", 30),  # in the thread, in the middle of a step
        ("bank.state_dict", 2),  # a checkpoint half written
        ("bank.settle", 2),  # the latest, not yet settled
    ],
)
def test_killed_and_resumed_is_bit_identical(
    undisturbed: tuple[Weights, Path], tmp_path: Path, kill: tuple[str, int]
) -> None:
    die(tmp_path, {"kill": kill})
    assert_same(result(tmp_path), undisturbed[0])
    assert [line["step"] for line in lines(tmp_path)] == [5, 10, 15, 20]


@pytest.mark.slow
@pytest.mark.parametrize("zero", [0, 2, 3])
def test_two_ranks_equal_one(undisturbed: tuple[Weights, Path], tmp_path: Path, zero: int) -> None:
    """After 20 steps with the same global batch, all errors gathered: weights and bank, and what is logged of all ranks."""
    assert_close(result(tmp_path, {"train": {"zero": zero}}, world=2), undisturbed[0])
    assert json.loads((tmp_path / "ranks.json").read_text()) == 2
    for found, expected in zip(lines(tmp_path), lines(undisturbed[1]), strict=True):
        for name in ("train/loss", "train/grad_norm", "bank/fill"):
            assert found[name] == pytest.approx(expected[name], rel=1e-4), name


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        {"bank": {"scope": "node", "warmup": 8}},
        {"bank": {"scope": "rank", "warmup": 8}},
        {"train": {"zero": 3, "checkpointing": "block", "micro_batch": 1}},
        {"wan": "wan2.1-i2v", "train": {"dtype": "bfloat16"}},
    ],
)
def test_two_ranks_killed_and_resumed_are_bit_identical(tmp_path: Path, options: dict[str, Any]) -> None:
    whole = result(tmp_path / "whole", options, world=2)
    die(tmp_path / "cut", {**options, "kill": ("losses", 13)}, world=2)
    assert_same(result(tmp_path / "cut", options, world=2), whole)


@pytest.mark.slow
def test_a_bank_of_the_node_is_one_rank_s_bank(undisturbed: tuple[Weights, Path], tmp_path: Path) -> None:
    """While all errors are gathered, and after: two ranks that share a bank do what one does."""
    for warmup in (1000, 0):
        one = result(tmp_path / f"one-{warmup}", {"bank": {"warmup": warmup}})
        assert_close(result(tmp_path / f"two-{warmup}", {"bank": {"scope": "node", "warmup": warmup}}, world=2), one)
        assert len(list((tmp_path / f"two-{warmup}").glob("bank-*.bin"))) == 1


@pytest.mark.slow
def test_another_number_of_ranks_is_refused(tmp_path: Path) -> None:
    die(tmp_path, {"kill": ("losses", 13)})
    said = run(tmp_path, world=2, code=1)
    assert "was made by 1 ranks, this run has 2; set train.ranks=1 to resume" in said


@pytest.mark.slow
def test_deepspeeds_launcher(undisturbed: tuple[Weights, Path], tmp_path: Path) -> None:
    launcher = [
        "-m",
        "deepspeed.launcher.runner",
        "--no_local_rank",
        "--num_accelerators",
        "2",
        "--master_port",
        "29617",
    ]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    command = [sys.executable, *launcher, str(SCRIPT), str(tmp_path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads((tmp_path / "ranks.json").read_text()) == 2
    assert_close(load_file(tmp_path / "result.safetensors"), undisturbed[0])
