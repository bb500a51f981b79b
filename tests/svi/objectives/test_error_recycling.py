"""Error recycling around the model: draws, injection, what is banked, and the thread that works ahead."""

import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import pytest
import torch

from svi.backbones.tiny import TinyBackbone
from svi.backbones.wan import WanBackbone
from svi.bank.bank import New
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.objectives.error_recycling import ErrorRecycling
from svi.objectives.objective import mean_over
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, FlowSettings
from svi.training import ranks
from tests.svi.conftest import CONDITION, make_cache
from tests.svi.objectives.recycling import BATCH, INJECTION, MICRO, Make, contents, steps
from tests.svi.wan_folder import Kind, WanFolder

Wans = Callable[[Kind], tuple[WanBackbone, LatentCache]]


@pytest.mark.parametrize("truth", ["integration", "clean"])
def test_working_ahead_changes_nothing(backbone: TinyBackbone, cache: LatentCache, make: Make, truth: str) -> None:
    one, other = make(backbone, cache, truth=truth), make(backbone, cache, truth=truth)
    assert torch.equal(
        torch.stack(steps(one, range(12), ahead=True)), torch.stack(steps(other, range(12), ahead=False))
    )
    banks = list(zip(contents(one), contents(other), strict=True))
    assert all(torch.equal(a, b) for a, b in banks)
    assert sum(len(a) for a, _ in banks) > 15


def test_a_step_does_not_wait_for_the_disk(backbone: TinyBackbone, cache: LatentCache, make: Make) -> None:
    """The last loss is there to be propagated back while the bank is still being written."""
    objective = make(backbone, cache)
    written, add_all = threading.Event(), objective.bank.add_all

    def slow(new: Sequence[New]) -> list[int]:
        assert written.wait(60)
        return add_all(new)

    objective.bank.add_all = slow  # type: ignore[method-assign]
    model = backbone.transformers["transformer"]
    for loss in objective.losses(model, range(BATCH), MICRO, 0, range(BATCH, 2 * BATCH)):
        torch.autograd.backward(loss)
    assert objective.bank.fill == 0
    written.set()
    assert sum(map(len, contents(objective))) > 0


def test_in_the_warm_up_a_ranks_own_sample_may_decide_for_all_gathered_errors(
    backbone: TinyBackbone, cache: LatentCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in the authors' code: another rank's errors come first in what is gathered; after the warm-up each sample is its own."""
    monkeypatch.setattr(ranks, "gather", lambda x: torch.cat([x.flip(0), x]))
    bank = BankSettings(capacity=100, warmup=8, warmup_by="rank", p_clean_update=0.0)
    injection = INJECTION.model_copy(update={"p_clean": 0.5})
    objective = ErrorRecycling(
        backbone, cache, FlowSettings(inference_steps=10), injection, bank, CONDITION, 0, tmp_path
    )
    banked: list[int] = []
    add_all = objective.bank.add_all
    monkeypatch.setattr(objective.bank, "add_all", lambda new: banked.append(len(new)) or add_all(new))
    clean = [objective.draw(k).gates.clean for k in range(10 * BATCH)]
    steps(objective, range(10), ahead=False)
    objective.close()
    own = [clean[step * BATCH : (step + 1) * BATCH] for step in range(10)]
    assert banked[:8] == [0 if first else 2 * BATCH for first, *_ in own[:8]]
    assert set(banked[:8]) == {0, 2 * BATCH}
    assert banked[8:] == [BATCH - sum(flags) for flags in own[8:]]


def test_what_goes_wrong_with_the_bank_stops_the_next_step(
    backbone: TinyBackbone, cache: LatentCache, make: Make
) -> None:
    objective = make(backbone, cache)

    def full(new: Sequence[New]) -> list[int]:
        raise ValueError("the disk is full")

    objective.bank.add_all = full  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="the disk is full"):
        steps(objective, range(2), ahead=True)


def test_what_goes_wrong_in_the_last_step_is_not_lost(
    backbone: TinyBackbone, cache: LatentCache, tmp_path: Path
) -> None:
    def full(new: Sequence[New]) -> list[int]:
        raise ValueError("the disk is full")

    settings = (FlowSettings(), INJECTION, BankSettings(capacity=3), CONDITION)
    objective = ErrorRecycling(backbone, cache, *settings, 0, tmp_path)
    objective.bank.add_all = full  # type: ignore[method-assign]
    steps(objective, range(1), ahead=False)
    with pytest.raises(ValueError, match="the disk is full"):
        objective.close()


def test_a_state_restored_goes_on_alike(backbone: TinyBackbone, cache: LatentCache, make: Make) -> None:
    objective = make(backbone, cache)
    steps(objective, range(3), ahead=True)
    state = objective.state_dict()
    objective.settle()
    first = steps(objective, range(3, 6), ahead=True)
    objective.load_state_dict(state)
    assert torch.equal(torch.stack(first), torch.stack(steps(objective, range(3, 6), ahead=True)))


def test_errors_made_by_hand_leave_the_bank_alone(backbone: TinyBackbone, cache: LatentCache, make: Make) -> None:
    settings = InjectionSettings(
        img_run=1, img_spread="tile", p_vid=1, p_img=1, p_noi=1, p_clean=0.2, source="handcrafted"
    )
    objective = make(backbone, cache, injection=settings)

    def sample(*_: object) -> None:
        raise AssertionError("the bank was read")

    objective.bank.sample = objective.bank.sample_any = sample  # type: ignore[method-assign]
    steps(objective, range(3), ahead=True)
    assert sum(map(len, contents(objective))) == 0
    inputs, drawn = objective.prepare(range(8)), [objective.draw(k) for k in range(8)]
    clean = make(backbone, cache, injection=settings.model_copy(update={"p_clean": 1.0})).prepare(range(8))
    errors = {
        "vid": inputs.x_vid_in - clean.x_vid_in,
        "noi": inputs.x_noi_in - clean.x_noi_in,
        "img": (inputs.condition["latents"] - clean.condition["latents"])[:, 4:],
    }
    for error in errors.values():
        injected = error.flatten(1).square().mean(1).sqrt() > 1e-4
        assert injected.tolist() == [not one.gates.clean for one in drawn]
    assert torch.equal(inputs.condition["latents"][:, :4], clean.condition["latents"][:, :4])
    spread = errors["img"] - errors["img"][:, :, :1]
    assert float(spread.abs().max()) < 1e-5  # one latent frame's error, on every copy of it
    assert torch.equal(inputs.x_vid, clean.x_vid)
    assert torch.equal(objective.prepare(range(8)).x_vid_in, inputs.x_vid_in)


def test_an_image_that_is_dropped_has_no_error(backbone: TinyBackbone, cache: LatentCache, tmp_path: Path) -> None:
    settings = InjectionSettings(p_vid=1, p_img=1, p_noi=1, p_clean=0, source="handcrafted")
    condition = CONDITION.model_copy(update={"drop_image": 0.5})
    objective = ErrorRecycling(
        backbone, cache, FlowSettings(), settings, BankSettings(capacity=3), condition, 0, tmp_path
    )
    inputs = objective.prepare(range(16))
    mask, image = inputs.condition["latents"][:, :4].flatten(1).any(1), inputs.condition["latents"][:, 4:]
    assert 0 < int(mask.sum()) < 16
    assert torch.equal(image.flatten(1).any(1), mask)
    assert (inputs.x_vid_in != inputs.x_vid).flatten(1).any(1).all()
    objective.close()


@pytest.fixture(scope="module")
def wan(wan_folder: WanFolder, tmp_path_factory: pytest.TempPathFactory) -> Wans:
    """A Wan of that kind with its first expert, and its clips."""

    @lru_cache
    def made(kind: Kind) -> tuple[WanBackbone, LatentCache]:
        data = DataSettings(clips=3, clip_frames=9, height=32, width=64)
        settings, condition = (
            BackboneSettings(name="folder", text_tokens=16),
            ConditionSettings(motion_frames=1, padding="zeros"),
        )
        backbone = WanBackbone.load(wan_folder(kind), settings, data, ("transformer",))
        return backbone, make_cache(backbone, tmp_path_factory.mktemp(kind), condition, data)

    return made


@pytest.mark.parametrize("t_sampling", ["shifted", "uniform"])
def test_each_expert_learns_its_own_noise_levels(wan: Wans, make: Make, t_sampling: str) -> None:
    backbone, cache = wan("wan2.2-i2v")
    high = make(backbone, cache, "transformer", t_sampling=t_sampling)
    backbone.transformers["transformer_2"] = backbone.transformers["transformer"]
    low = make(backbone, cache, "transformer_2", t_sampling=t_sampling)
    for objective, expert in ((high, "transformer"), (low, "transformer_2")):
        assert {backbone.expert(1 - float(objective.draw(k).t)) for k in range(100)} == {expert}


@pytest.mark.parametrize("truth", ["integration", "clean"])
def test_what_is_given_is_neither_learned_nor_banked(wan: Wans, make: Make, truth: str) -> None:
    """TI2V-5B sees the first latent frame clean: loss and errors are of the others."""
    backbone, cache = wan("wan2.2-ti2v")
    objective = make(backbone, cache, truth=truth)
    inputs = objective.prepare(range(3))
    model = backbone.transformers["transformer"]
    loss, entries = objective.loss(model, inputs)
    assert (entries[:, :, :, :1] == 0).all()
    assert (entries[:, :, :, 1:] != 0).any()
    inputs.x_vid[:, :, 0] = 100  # its target alone: what the model sees there is the condition
    assert float(objective.loss(model, inputs)[0]) == pytest.approx(float(loss))
    inputs.x_vid[:, :, 1] = 100
    assert float(objective.loss(model, inputs)[0]) > 100 * float(loss)


def test_the_mean_over_some_frames() -> None:
    x = torch.arange(24.0).reshape(2, 3, 4, 1, 1)
    mask = torch.tensor([0.0, 1, 1, 0]).reshape(1, 1, 4, 1, 1)
    assert torch.equal(mean_over(x, mask), x[:, :, 1:3].flatten(1).mean(1))
    assert torch.equal(mean_over(x, None), x.flatten(1).mean(1))
