"""Which errors error recycling draws, and where from."""

from pathlib import Path

import pytest
import torch

from svi.backbones.tiny import TinyBackbone
from svi.data.cache import LatentCache
from svi.error_settings import BankSettings, InjectionSettings
from svi.objectives.error_recycling import ErrorRecycling, TrainingSample
from svi.settings import FlowSettings
from tests.svi.conftest import CONDITION, DATA, make_backbone, make_cache
from tests.svi.objectives.recycling import INJECTION, Make, contents, steps


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
