"""FreeNoise-style films: whose noise each clip begins from, and how two clips go into each other."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.backbones.wan import WanBackbone
from svi.generation.denoiser import Given
from svi.generation.free_noise import FreeNoise, blended
from svi.generation.generator import Generator
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi import films
from tests.svi.films import SETTINGS, quiet, scripts, sections, whole_and_stopped
from tests.svi.wan_folder import Kind, WanFolder

SHARED = ConditionSettings(motion_frames=2, padding="repeat")


def maker(condition: ConditionSettings = SHARED) -> Generator:
    return films.maker(condition=condition, loop=FreeNoise)


def noises(generator: Generator, clips: int, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """What the first clips of a film begin from."""
    given, made, past = [], generator.denoiser.clip, None

    def spy(one: Given, x: Tensor) -> Tensor:
        given.append(x)
        return made(one, x)

    monkeypatch.setattr(generator.denoiser, "clip", spy)
    story = scripts(clips, 1)
    generator.encode(story[0].prompts)
    for clip in range(clips):
        _, past = generator.loop.next(generator.films_of(story), clip, past)
    return given


def test_every_clip_begins_from_a_shuffle_of_the_first_clips_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """All its frames, none twice; where two clips overlap they have the same noise, and no two clips the same order."""
    found = noises(maker(), 6, monkeypatch)
    first = found[0][0].unbind(1)
    orders = [
        tuple(next(i for i, one in enumerate(first) if torch.equal(frame, one)) for frame in x[0].unbind(1))
        for x in found
    ]
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in orders)
    assert len(set(orders)) == 6
    for before, after in pairwise(orders):
        assert before[-2:] == after[:2]


def test_shared_frames_go_from_one_clip_into_the_other() -> None:
    before, after = np.zeros((1, 3, 1, 1, 3), np.uint8), np.full((1, 3, 1, 1, 3), 200, np.uint8)
    assert blended(before, after)[0, :, 0, 0, 0].tolist() == [50, 100, 150]
    assert np.array_equal(blended(after, after), after)


@pytest.mark.parametrize("anchor", [False, True])
def test_a_clip_shows_the_blend_and_hands_on_its_own_frames(anchor: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    condition = ConditionSettings(motion_frames=2, padding="zeros", anchor=anchor)
    story, begin = scripts(3, 1), int(anchor)
    shown, plain = maker(condition), films.maker(condition=condition)
    shown.encode(story[0].prompts)
    plain.encode(story[0].prompts)
    frames, past = shown.loop.next(shown.films_of(story), 0, None)
    assert np.array_equal(frames, plain.loop.next(plain.films_of(story), 0, None)[0])
    after, state = shown.loop.next(shown.films_of(story), 1, past)
    order = shown.loop.order(5, 1)  # type: ignore[attr-defined]
    noise = shown.films_of(story).noise(0)[:, :, order]
    alone = plain.films_of(story)
    monkeypatch.setattr(alone, "noise", lambda clip: noise)
    own, _ = plain.loop.next(alone, 1, past)
    shared = slice(begin, begin + 2)
    assert np.array_equal(after[:, shared], blended(frames[:, -2:], own[:, shared]))
    assert np.array_equal(np.delete(after, [begin, begin + 1], 1), np.delete(own, [begin, begin + 1], 1))
    assert np.array_equal(state["frames"].numpy(), own[:, -2:])


def test_stopped_after_every_clip_and_resumed_is_identical(tmp_path: Path) -> None:
    whole, cut = whole_and_stopped(maker, scripts(3), 11, tmp_path)
    assert np.array_equal(whole, cut)


@pytest.mark.parametrize("kind", ["wan2.1-i2v", "wan2.2-i2v", "wan2.2-ti2v"])
def test_films_of_wan(tmp_path: Path, wan_folder: WanFolder, kind: Kind) -> None:
    """Two clips that share five frames, two latents."""
    data = DataSettings(height=32, width=32, clip_frames=13)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    read = sections(SETTINGS, ConditionSettings(motion_frames=5))
    Generator(backbone, backbone.transformers, read, FreeNoise).films(scripts(2, 1, data), 21, 8, tmp_path, quiet)
    film = np.load(tmp_path / "frames.npy")[0]
    assert film.shape == (21, 32, 32, 3)
    assert (np.abs(np.diff(film.astype(int), axis=0)).max(axis=(1, 2, 3)) > 0).all()
