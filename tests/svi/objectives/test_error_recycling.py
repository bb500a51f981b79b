"""Error recycling around the model: draws, injection, what is banked, and the thread that works ahead."""

import threading
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from svi.backbones.backbone import Backbone
from svi.backbones.tiny import TinyBackbone
from svi.backbones.wan import WanBackbone
from svi.bank.bank import New
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.objectives.error_recycling import ErrorRecycling, TrainingSample
from svi.objectives.objective import mean_over
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, FlowSettings
from svi.training import ranks
from tests.svi.conftest import CONDITION, DATA, make_backbone, make_cache
from tests.svi.wan_folder import Kind, WanFolder

BATCH, MICRO = 4, 2
INJECTION = InjectionSettings(img_run=1, img_spread="tile", p_clean=0.3, p_noi=0.3)
Make = Callable[..., ErrorRecycling]
Wans = Callable[[Kind], tuple[WanBackbone, LatentCache]]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Objectives with a folder of their own each, closed at the end."""
    made: list[ErrorRecycling] = []

    def recycling(
        backbone: Backbone,
        cache: LatentCache,
        expert: str = "transformer",
        injection: InjectionSettings = INJECTION,
        **flow: Any,
    ) -> ErrorRecycling:
        settings = FlowSettings(inference_steps=10, **flow)
        bank, folder = BankSettings(capacity=3, warmup=2), tmp_path / f"objective-{len(made)}"
        made.append(ErrorRecycling(backbone, cache, settings, injection, bank, CONDITION, 0, folder, expert))
        return made[-1]

    yield recycling
    for objective in made:
        objective.close()


def steps(objective: ErrorRecycling, todo: range, *, ahead: bool) -> list[Tensor]:
    """The losses of these steps, each propagated back; `ahead`: samples of the next step are prepared during the one before."""
    model = objective.backbone.transformers["transformer"]
    losses = []
    for step in todo:
        samples, following = (range(s * BATCH, (s + 1) * BATCH) for s in (step, step + 1))
        for loss in objective.losses(model, samples, MICRO, step, following if ahead else range(0)):
            torch.autograd.backward(loss)
            losses.append(loss.detach())
    return losses


def contents(objective: ErrorRecycling) -> list[Tensor]:
    objective.state_dict()  # waits for the thread
    return [objective.bank.entries(slot) for slot in range(10)]


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


def drawn_from_known_errors(
    make: Make, backbone: TinyBackbone, cache: LatentCache, **changes: object
) -> list[TrainingSample]:
    """Draws from a bank whose errors are 1 + their slot in every value."""
    every = {"p_vid": 1.0, "p_img": 1.0, "p_noi": 1.0, "p_clean": 0.0, **changes}
    objective = make(backbone, cache, injection=INJECTION.model_copy(update=every))
    for slot in range(10):
        one = torch.full((1, *backbone.latent_shape), 2.0 * (1 + slot))
        objective.bank.add(slot, one, 0.5, torch.Generator())
    return [objective.draw(k) for k in range(60)]


def test_an_image_error_may_be_one_of_the_samples_own_slot(
    backbone: TinyBackbone, cache: LatentCache, make: Make
) -> None:
    own, any_slot = (drawn_from_known_errors(make, backbone, cache, img_from=how) for how in ("slot", "slots"))
    assert all(one.e_img is not None and torch.all(one.e_img == 1 + one.slot) for one in own)
    assert sum(one.e_img is not None and bool(torch.all(one.e_img == 1 + one.slot)) for one in any_slot) < 30


def test_injected_errors_may_be_modulated_each_by_its_own_factor(
    backbone: TinyBackbone, cache: LatentCache, make: Make
) -> None:
    plain, modulated = (
        drawn_from_known_errors(make, backbone, cache, img_from="slot", modulate=f) for f in (0.0, 0.25)
    )
    for name in ("e_vid", "e_noi", "e_img"):
        pairs = [(getattr(a, name), getattr(b, name)) for a, b in zip(plain, modulated, strict=True)]
        factors = torch.stack([(b / a).mean() for a, b in pairs])
        assert 0.75 <= float(factors.min()) < 0.8 < 1.2 < float(factors.max()) <= 1.25
        assert all(torch.allclose(a * factor, b) for (a, b), factor in zip(pairs, factors, strict=True))
    one = modulated[0]
    assert one.e_vid is not None
    assert one.e_noi is not None
    assert not torch.allclose(one.e_vid.abs(), one.e_noi.abs())  # at t = .5 they are opposite before


def test_an_image_error_may_be_one_of_a_range_of_slots(backbone: TinyBackbone, cache: LatentCache, make: Make) -> None:
    for how in ("slots", "entries"):
        drawn = drawn_from_known_errors(
            make, backbone, cache, img_from=how, img_first_slot=2, img_last_slot=4, p_noi=0.5
        )
        assert {float(one.e_img.mean()) for one in drawn if one.e_img is not None} == {3.0, 4.0, 5.0}
        assert {float(one.e_vid.mean()) for one in drawn if one.e_vid is not None} > {3.0, 4.0, 5.0}
    for wrong, said in (
        ({"img_last_slot": 10}, "name no slots of the bank's 10"),
        ({"img_first_slot": 4, "img_last_slot": 3}, "img_first_slot=4 and img_last_slot=3"),
        ({"img_first_slot": 4, "img_from": "slot"}, "img_from=slot draws from the slot"),
    ):
        with pytest.raises(ValueError, match=said):
            make(backbone, cache, injection=INJECTION.model_copy(update=wrong))


def test_errors_of_video_and_noise_may_be_of_any_slot(backbone: TinyBackbone, cache: LatentCache, make: Make) -> None:
    own, other = (drawn_from_known_errors(make, backbone, cache, vid_noi_from=how) for how in ("slot", "slots"))
    for sign, name in ((1, "e_vid"), (-1, "e_noi")):
        found = [(one.slot, getattr(one, name)) for one in own]
        assert all(e is not None and torch.all(e == sign * (1 + slot)) for slot, e in found)
        slots = [round(sign * float(getattr(one, name).mean())) - 1 for one in other]
        assert set(slots) == set(range(10))
        assert sum(slot == one.slot for slot, one in zip(slots, other, strict=True)) < 20


@pytest.mark.parametrize("domain", ["clip", "scene"])
def test_an_image_error_may_be_of_its_own_clip_or_scene(cache: LatentCache, tmp_path: Path, domain: str) -> None:
    """Two clips of each of three scenes; a clip whose domain has no error yet is injected none."""
    backbone = make_backbone()
    scenes = [0, 0, 1, 1, 2, 2] * 4
    cache.prompt = lambda row: scenes[row]  # type: ignore[method-assign]
    injection = INJECTION.model_copy(update={"p_img": 1.0, "p_clean": 0.0, "img_domain": domain})
    flow, bank = FlowSettings(inference_steps=10), BankSettings(capacity=40, warmup=2)
    with ErrorRecycling(backbone, cache, flow, injection, bank, CONDITION, 0, tmp_path / "bank") as objective:
        assert all(objective.draw(k).e_img is None for k in range(30))
        steps(objective, range(6), ahead=True)  # 24 samples: every clip once
        contents(objective)
        of = list(range(24)) if domain == "clip" else scenes
        held = objective.bank.held
        assert sorted(objective.bank.origins[held]) == sorted(of)
        assert (objective.bank.origins[~held] == -1).all()
        for k in range(24, 60):
            one = objective.draw(k)
            assert one.e_img is not None
            found = [
                objective.bank.origins[slot, position]
                for slot, position in zip(*held.nonzero(), strict=True)
                for frame in objective.bank._errors(slot, position).vid.unbind(1)
                if torch.equal(one.e_img[:, 0], frame)
            ]
            assert found == [of[one.clip]]
        state = objective.state_dict()
        objective.settle()
        before = objective.bank.origins.copy()
        steps(objective, range(6, 8), ahead=False)
        objective.load_state_dict(state)
        assert (objective.bank.origins == before).all()


def test_an_image_error_may_have_its_pixels_shuffled(backbone: TinyBackbone, cache: LatentCache, make: Make) -> None:
    """The same error as without it, elsewhere: as large, in one order for all channels."""
    plain, moved = (
        make(backbone, cache, injection=INJECTION.model_copy(update={"p_img": 1.0, "p_clean": 0.0, "img_domain": how}))
        for how in ("any", "shuffled")
    )
    generator = torch.Generator().manual_seed(0)
    entry = torch.randn(1, *backbone.latent_shape, generator=generator)
    entry[0, 1] = entry[0, 0]
    for objective in (plain, moved):
        objective.bank.add(0, entry, 0.0, generator)
    for k in range(10):
        a, b = plain.draw(k).e_img, moved.draw(k).e_img
        assert a is not None
        assert b is not None
        assert torch.equal(b[0], b[1])
        assert not torch.equal(a, b)
        frames = [sorted(frame.flatten().tolist()) for frame in entry[0, 0]]
        assert sorted(b[0, 0].flatten().tolist()) in frames


def test_a_bank_of_a_node_does_not_know_whose_errors_it_holds(cache: LatentCache, tmp_path: Path) -> None:
    injection, bank = InjectionSettings(img_run=1, img_domain="clip"), BankSettings(capacity=3, scope="node")
    with pytest.raises(ValueError, match=r"img_domain=clip needs to know the clip of each error.*set bank.scope=rank"):
        ErrorRecycling(make_backbone(), cache, FlowSettings(), injection, bank, CONDITION, 0, tmp_path)


def test_both_sources_take_turns(backbone: TinyBackbone, cache: LatentCache, make: Make) -> None:
    objective = make(backbone, cache, injection=INJECTION.model_copy(update={"source": "both", "p_clean": 0.0}))
    steps(objective, range(4), ahead=True)
    assert sum(map(len, contents(objective))) > 0
    drawn = [objective.draw(k) for k in range(200)]
    by_hand = sum(one.by_hand.img for one in drawn)
    assert 70 < by_hand < 130
    assert all(one.e_img is None for one in drawn if one.by_hand.img)
    assert any(one.e_img is not None for one in drawn)
    assert {(one.by_hand.vid, one.by_hand.img) for one in drawn} == {
        (a, b) for a in (True, False) for b in (True, False)
    }


def test_a_source_changes_no_other_draw(backbone: TinyBackbone, cache: LatentCache, make: Make) -> None:
    own, by_hand = (
        make(backbone, cache, injection=INJECTION.model_copy(update={"source": source}))
        for source in ("self", "handcrafted")
    )
    for k in range(30):
        a, b = own.draw(k), by_hand.draw(k)
        assert (a.clip, a.slot, a.gates) == (b.clip, b.slot, b.gates)
        assert torch.equal(a.noise, b.noise)


def test_references_are_drawn_apart_from_all_else(backbone: TinyBackbone, tmp_path: Path, make: Make) -> None:
    condition, three = CONDITION.model_copy(update={"padding": "reference"}), DATA.model_copy(update={"references": 3})
    one = make(backbone, make_cache(backbone, tmp_path / "one", condition))
    several = make(backbone, make_cache(backbone, tmp_path / "three", condition, three))
    pairs = [(one.draw(k), several.draw(k)) for k in range(40)]
    assert all(a.clip == b.clip and a.t == b.t and torch.equal(a.noise, b.noise) for a, b in pairs)
    assert {a.reference for a, _ in pairs} == {0}
    assert {b.reference for _, b in pairs} == {0, 1, 2}
    read = several.prepare(range(8)).condition["latents"]
    first = several.data.batch(
        [several.draws.order[k] for k in range(8)], [several.draw(k).short for k in range(8)], [0] * 8
    )
    same = [torch.equal(a, b) for a, b in zip(read, first.condition["latents"], strict=True)]
    assert same == [several.draw(k).reference == 0 for k in range(8)]


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
