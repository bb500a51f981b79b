"""The loop over blocks with a real tiny transformer, against one masked forward of the whole film, and with real Wans."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor, nn

from svi.axes import CacheSettings, MethodSettings
from svi.backbones import attention
from svi.backbones.backbone import Backbone, Condition
from svi.backbones.meter import Meter
from svi.backbones.padding import unknown
from svi.backbones.wan import WanBackbone
from svi.generation.blocks import BlockLoop
from svi.generation.generator import Generator
from svi.generation.loop import State
from svi.generation.reel import Script
from svi.lora import adapter
from svi.memory.sink import Sink
from svi.objectives.objective import Setup
from svi.objectives.teacher_forcing import TeacherForcing
from svi.parts import KV_CACHE, MEMORIES
from svi.settings import (
    BackboneSettings,
    ConditionSettings,
    DataSettings,
    FlowSettings,
    GenerateSettings,
    TrainSettings,
)
from tests.svi.conftest import CONDITION, DATA, make_cache
from tests.svi.films import SETTINGS, maker, scripts, sections, whole_and_stopped
from tests.svi.masked import TOKENS, dense, of_blocks
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder

T, STEPS = DATA.clip_frames, 2
KEPT = [name for name, part in MEMORIES.items() if KV_CACHE in part.needs]


def shaken(backbone: Backbone) -> None:
    """No weight at its neutral start: what is remembered must matter."""
    torch.manual_seed(3)
    with torch.no_grad():
        for model in backbone.transformers.values():
            for parameter in model.parameters():
                parameter.add_(0.1 * torch.randn(parameter.shape))


def blocks(
    memory: str = "none",
    block: int = 1,
    condition: ConditionSettings = CONDITION,
    guidance: float = 1.0,
    **cache: Any,
) -> Generator:
    """A generator of the tiny backbone, its memory named as in the settings."""
    kept = CacheSettings(**{"frames": T - 1, **cache})
    chosen: Any = None
    if memory != "none":
        chosen = resolve_name(MEMORIES[memory].target)(sections(SETTINGS, condition, cache=kept))
    made = maker(
        SETTINGS.model_copy(update={"steps": STEPS, "guidance": guidance}),
        condition,
        loop=BlockLoop,
        memory=chosen,
        cache=kept,
        method=MethodSettings(architecture="causal", block=block),
    )
    shaken(made.backbone)
    return made


def clips(made: Generator, story: list[Script]) -> list[tuple[np.ndarray, State]]:
    """Every clip's frames and state."""
    made.encode([prompt for script in story for prompt in script.prompts])
    films, past, found = made.films_of(story), None, []
    for clip in range(len(story[0].prompts)):
        frames, past = made.loop.next(films, clip, past)
        found.append((frames, past))
    return found


def one_prompt(clips: int, films: int = 2, data: DataSettings = DATA) -> list[Script]:
    return [Script(s.name, s.image, s.prompts[:1] * clips) for s in scripts(clips, films, data)]


# Against a masked forward


@dataclass
class Call:
    """Of the transformer."""

    x: Tensor
    t: Tensor
    text: Tensor
    branch: str
    v: Tensor


def listened(made: Generator) -> list[Call]:
    """Fills up as the loop calls the transformer."""
    found, velocity = [], made.backbone.velocity

    def spy(model: nn.Module, x: Tensor, t: Tensor, condition: Condition, text: Tensor, branch: str = "cond") -> Tensor:
        assert not any(part.any() for part in condition.values())  # no image is given
        v = velocity(model, x, t, condition, text, branch)
        found.append(Call(x, t, text, branch, v))
        return v

    made.backbone.velocity = spy  # type: ignore[method-assign, assignment]
    return found


@pytest.mark.parametrize("block", [1, 2, 4])
@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_every_step_is_a_masked_forward_of_the_film_so_far(block: int, guidance: float) -> None:
    """By diffusers' own attention, on both branches of guidance: the whole of 3 clips is remembered."""
    made = blocks(block=block, guidance=guidance, frames=32)
    velocity, heard = made.backbone.velocity, listened(made)
    clips(made, one_prompt(3))
    model = made.backbone.transformers["transformer"]
    whole = made.backbone.condition(torch.zeros(2, 1, 16, 16, 3), torch.zeros(2, 16, 16, 3), CONDITION)
    steps = 0
    for branch in ("cond", "uncond")[: 2 if guidance > 1 else 1]:
        past: list[Tensor] = []  # finished blocks
        for call in (one for one in heard if one.branch == branch):
            if (call.t == 1).all():
                past.append(call.x)
                continue
            x = torch.cat([*past, call.x], dim=2)
            own = call.x.shape[2]
            t = torch.cat([torch.ones(2, x.shape[2] - own), call.t.float()[:, None].expand(-1, own)], dim=1)
            order = of_blocks([one.shape[2] for one in (*past, call.x)])
            with torch.no_grad(), dense(model, order[:, None] >= order[None]):
                theirs = velocity(model, x, t, unknown(whole, x.shape[2]), call.text, branch)[:, :, -own:]
            torch.testing.assert_close(call.v, theirs, atol=1e-5, rtol=0)
            assert theirs.std() > 0.05
            steps += 1
        assert [one.shape[2] for one in past] == [1, *[block] * (12 // block)]
    assert steps == (2 if guidance > 1 else 1) * STEPS * 12 // block


def test_the_film_is_the_start_image_and_what_the_blocks_made() -> None:
    """As they were remembered, decoded; the frame that two clips share is one frame."""
    made = blocks()
    heard = listened(made)
    story = one_prompt(3)
    found = [frames for frames, _ in clips(made, story)]
    latents = torch.cat([call.x for call in heard if (call.t == 1).all()], dim=2)
    film = made.backbone.decode(latents).numpy()
    for clip, frames in enumerate(found):
        np.testing.assert_array_equal(frames, film[:, 4 * clip : 4 * clip + 5])
    image = np.stack([script.image for script in story]).astype(int)
    assert np.abs(film[:, 0] - image).mean() < 12  # the codec's loss alone


@pytest.mark.parametrize("overlap", [2, 3, 4])
def test_clips_may_share_several_frames(overlap: int) -> None:
    made = blocks(block=2, condition=CONDITION.model_copy(update={"motion_frames": overlap}))
    found = [frames for frames, _ in clips(made, one_prompt(4))]
    for before, after in pairwise(found):
        np.testing.assert_array_equal(before[:, -overlap:], after[:, :overlap])
        assert not np.array_equal(before[:, -1], after[:, -1])


# What is remembered


@pytest.mark.parametrize("memory", ["none", *KEPT])
def test_a_film_of_any_length_takes_one_memory_and_one_cost_a_clip(
    memory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A film of more frames than the model has positions: tokens, attended pairs and bytes of the hand-off."""
    made, meter, pairs = blocks(memory, block=2), Meter(), []
    attend = dispatch_attention_fn

    def counted(query: Tensor, key: Tensor, value: Tensor, **rest: object) -> Tensor:
        pairs.append(query.shape[1] * key.shape[1])
        out: Tensor = attend(query, key, value, **rest)
        return out

    monkeypatch.setattr(attention, "dispatch_attention_fn", counted)
    meter.watch(made.backbone.transformers["transformer"])
    story = one_prompt(18, films=1)
    made.encode(story[0].prompts)
    films, past, tokens, attended, held = made.films_of(story), None, [], [], []
    for clip in range(18):
        before = meter.tokens
        pairs.clear()
        _, past = made.loop.next(films, clip, past)
        tokens.append(meter.tokens - before)
        attended.append(sum(pairs))
        held.append(sum(x.nbytes for x in past.values()))
    assert set(tokens[1:]) == {4 * TOKENS * (STEPS + 1)}  # new frames, each in every step and once to be remembered
    settled = slice(9, None)  # sparse fills up last
    assert set(attended[settled]) == {
        2 * (STEPS + 1) * (2 * TOKENS) * (4 + 2) * TOKENS
    }  # 2 blocks of 2 frames behind 4
    assert len(set(held[settled])) == 1


@pytest.mark.parametrize(
    ("memory", "cache", "wanted"),
    [
        ("none", {}, [17, 18, 19, 20]),
        ("none", {"frames": 2}, [19, 20]),
        ("sink", {}, [0, 18, 19, 20]),
        ("sink", {"first": 2, "frames": 5}, [0, 1, 18, 19, 20]),
        ("half", {}, [0, 1, 19, 20]),
        ("ema", {"first": 2}, [0, 1, 19, 20]),
        ("sparse", {"first": 2, "every": 5}, [10, 15, 19, 20]),
    ],
)
def test_settings_say_what_is_remembered(memory: str, cache: dict[str, Any], wanted: list[int]) -> None:
    _, state = clips(blocks(memory, **cache), one_prompt(5))[-1]
    assert state["transformer.cond.index"].tolist() == wanted


def test_every_memory_of_a_cache_is_tried_here() -> None:
    assert KEPT == ["sink", "half", "ema", "sparse"]


def test_what_flows_into_a_sink_changes_it() -> None:
    """At decay 1 it is the sink of the film's first frames."""
    ends = [
        clips(blocks(memory, decay=decay), one_prompt(4))[-1][1]["transformer.cond.keys.0"]
        for memory, decay in (("sink", 1.0), ("ema", 1.0), ("ema", 0.9))
    ]
    assert torch.equal(ends[0], ends[1])
    assert not torch.allclose(ends[0], ends[2], atol=1e-3)


def test_the_past_stays_as_it_was_when_the_prompt_changes() -> None:
    """Keys that two prompts' clips both remember are those of the first prompt, whatever the second is."""
    story = [Script("a", one_prompt(1)[0].image, ("red disc slowly east", prompt)) for prompt in ("x", "y")]
    (_, one), (_, same) = (clips(blocks(frames=8), [script])[-1] for script in story)
    assert one["transformer.cond.index"].tolist() == list(range(1, 9))
    for row in range(8):
        key = f"transformer.cond.keys.{row}"
        assert torch.equal(one[key], same[key]) == (row < 4)  # frames 1 to 4 are of the first clip


def test_the_past_may_be_remembered_with_noise() -> None:
    """That of the latents which it was made from, at that noise level."""
    made = blocks(noise=0.25)
    heard = listened(made)
    frames, _ = clips(made, one_prompt(1))[0]
    film = [call for call in heard if torch.allclose(call.t.float(), torch.tensor(0.75))]
    assert [call.x.shape[2] for call in film] == [1] * 5
    clean = blocks()
    listening = listened(clean)
    clips(clean, one_prompt(1))
    first = next(call.x for call in listening if (call.t == 1).all())
    noise = (film[0].x - 0.75 * first) / 0.25
    assert 0.7 < float(noise.std()) < 1.3
    assert np.abs(frames[:, 0].astype(int) - made.backbone.decode(first).numpy()[:, 0]).max() == 0  # shown without


@pytest.mark.parametrize(("memory", "guidance"), [("none", 1.0), ("ema", 3.0)])
def test_stopped_anywhere_and_resumed_is_identical(tmp_path: Path, memory: str, guidance: float) -> None:
    def make() -> Generator:
        return blocks(memory, block=2, guidance=guidance, decay=0.9)

    whole, cut = whole_and_stopped(make, scripts(4), 17, tmp_path)
    assert np.array_equal(whole, cut)


def test_what_is_probed_is_the_block_that_films_begin_with() -> None:
    """And an error of the start image reaches it."""
    made = blocks(block=2)
    heard = listened(made)
    story = one_prompt(1)
    clips(made, story)
    finished = [call.x for call in heard if (call.t == 1).all()]
    loop, films = made.loop, made.films_of(story)
    assert isinstance(loop, BlockLoop)
    none = torch.zeros_like(finished[0][:, :, 0])
    assert torch.equal(loop.first(films, none).made, finished[1][:, :, 0])
    assert not torch.allclose(loop.first(films, none + 0.3).made, finished[1][:, :, 0], atol=1e-3)


def test_films_side_by_side_are_as_if_each_was_made_alone() -> None:
    story = scripts(3)
    together = [frames for frames, _ in clips(blocks("sink"), story)]
    for row, script in enumerate(story):
        alone = [frames[0] for frames, _ in clips(blocks("sink"), [script])]
        for ours, theirs in zip(together, alone, strict=True):
            assert np.abs(ours[row].astype(int) - theirs).max() <= 1


# Real Wans


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_wan_is_trained_a_step_and_makes_two_clips(tmp_path: Path, wan_folder: WanFolder, kind: Kind) -> None:
    """With guidance, a sink and five shared frames."""
    data = DataSettings(clips=3, clip_frames=13, height=32, width=32)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    condition = ConditionSettings(motion_frames=5)
    method, cache = MethodSettings(architecture="causal", block=2), CacheSettings(frames=3, first=1)
    read = sections(
        GenerateSettings(steps=3, guidance=2.0, lossless=True),
        condition,
        method=method,
        cache=cache,
        flow=FlowSettings(),
    )
    latents = make_cache(backbone, tmp_path / "cache", condition, data)
    models = {}
    for expert in tuple(backbone.transformers):
        models[expert] = adapter.adapted(backbone, TrainSettings(rank=2, alpha=2), expert)
        attention.stay_causal(models[expert], 2)
        trained = TeacherForcing(Setup(backbone, latents, read, 0, tmp_path, models[expert], expert))
        (loss,) = trained.losses(models[expert], range(2), 2, 0, range(0))
        torch.autograd.backward(loss)
        grads = [p.grad for name, p in models[expert].named_parameters() if "lora_B" in name]
        assert all(g is not None and g.isfinite().all() for g in grads)
        assert any(g.any() for g in grads if g is not None)
    made = Generator(backbone, models, read, BlockLoop, Sink.of(read))
    found = clips(made, one_prompt(2, 1, data))
    assert [frames.shape for frames, _ in found] == [(1, 13, 32, 32, 3)] * 2
    np.testing.assert_array_equal(found[0][0][:, -5:], found[1][0][:, :5])
    state = found[1][1]
    experts = {name.split(".")[0] for name in state if "." in name}
    assert experts == set(backbone.transformers)
    for expert in experts:
        for branch in ("cond", "uncond"):
            assert state[f"{expert}.{branch}.index"].tolist() == [0, 4, 5]
