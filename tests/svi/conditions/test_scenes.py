"""The embedded world's signals from end to end: clips, latent cache, a training step, films; no model knows them by name."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from svi.backbones.adapters import adapters_of
from svi.backbones.catalogue import EXPERT
from svi.backbones.tiny import TinyBackbone
from svi.conditions.dance import Pose
from svi.conditions.scenes import scenes_of
from svi.conditions.signal import Signal
from svi.conditions.talk import Audio
from svi.data import world
from svi.data.cache import LatentCache
from svi.data.cache_writer import write_cache
from svi.data.footage import WorldFootage
from svi.generation.generator import Generator
from svi.generation.reel import Script
from svi.objectives.objective import Objective
from svi.settings import DataSettings
from tests.svi.conftest import BACKBONE, CONDITION, make_backbone
from tests.svi.films import SETTINGS, quiet, sections
from tests.svi.objectives.setups import setup

SIGNALS: dict[str, Signal] = {"audio": Audio(), "pose": Pose()}
DATA = DataSettings(clips=6)
SCENE = world.draw_scene(np.random.default_rng(0), DATA.height, DATA.width)


def following(signal: str, folder: Path) -> tuple[TinyBackbone, LatentCache]:
    """A tiny backbone that takes the signal, and clips that follow it."""
    torch.manual_seed(0)
    backbone = TinyBackbone.create(make_backbone(DATA).codec, BACKBONE, DATA, SIGNALS[signal])
    write_cache(backbone, WorldFootage(DATA, scenes_of(signal)), CONDITION, DATA, folder, lambda done, total: None)
    return backbone, LatentCache.open(folder)


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_clip_shows_what_it_is_given(signal: str) -> None:
    """Its signal is that of the very frames of the film that it is cut from."""
    footage, moved = WorldFootage(DATA, scenes_of(signal)), scenes_of(signal)
    assert moved is not None
    clip = footage.read(2)
    film = (footage.scenes[2], f"{DATA.seed} clip 2", 15, DATA.fps)
    assert np.array_equal(clip.frames, np.stack(list(moved.play(*film)))[5:10])
    assert torch.equal(clip.signals[signal], moved.course(*film).clip(5, 5))
    assert clip.prompt == footage.prompt(2) == moved.prompt(footage.scenes[2])
    assert footage.fingerprint != WorldFootage(DATA).fingerprint


@pytest.mark.parametrize("signal", SIGNALS)
def test_references_are_of_the_film_that_the_clip_is_cut_from(signal: str) -> None:
    footage, moved = WorldFootage(DATA.model_copy(update={"references": 3}), scenes_of(signal)), scenes_of(signal)
    assert moved is not None
    film = np.stack(list(moved.play(footage.scenes[2], f"{DATA.seed} clip 2", 20, DATA.fps)))
    assert np.array_equal(footage.references(2), film[5::5])
    assert np.array_equal(footage.references(2)[0], footage.read(2).frames[0])


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_film_begins_alike_however_long_it_is(signal: str) -> None:
    moved = scenes_of(signal)
    assert moved is not None
    long, short = (moved.course(SCENE, "film", frames, 8) for frames in (40, 20))
    assert torch.equal(long.clip(4, 5), short.clip(4, 5))
    assert not torch.equal(moved.course(SCENE, "other", 40, 8).clip(4, 5), long.clip(4, 5))


@pytest.mark.parametrize("signal", SIGNALS)
def test_training_reaches_the_adapter(signal: str, tmp_path: Path) -> None:
    backbone, cache = following(signal, tmp_path / "cache")
    condition = CONDITION.model_copy(update={"drop_signal": 0.0})
    objective, wan = Objective(setup(backbone, cache, condition)), backbone.transformers[EXPERT]
    (adapter,) = adapters_of(wan)
    before = {name: x.detach().clone() for name, x in wan.named_parameters()}
    optimiser = torch.optim.SGD(wan.parameters(), lr=1.0)
    for step in range(2):  # at the first one the last layer alone has a gradient: it begins at zero
        optimiser.zero_grad()
        objective.loss(wan, objective.clips(range(4 * step, 4 * step + 4)), step).backward()
        optimiser.step()
    moved = [name for name, x in adapter.named_parameters() if not torch.equal(x, before[f"{signal}.{name}"])]
    assert len(moved) > len(dict(adapter.named_parameters())) // 2


@pytest.mark.parametrize("signal", SIGNALS)
def test_films_follow_it_and_keep_it(signal: str, tmp_path: Path) -> None:
    backbone, _ = following(signal, tmp_path / "cache")
    wan = backbone.transformers[EXPERT]
    with torch.no_grad():
        for name, x in wan.named_parameters():
            if "audio" in name or "pose" in name:
                x.normal_(std=0.3)
    moved = scenes_of(signal)
    assert moved is not None
    course = moved.course(SCENE, "film", 13, 8)
    script = Script("film", next(moved.play(SCENE, "film", 1, 8)), (moved.prompt(SCENE),) * 3, course)
    films = []
    for name, one in (("own", script), ("none", replace(script, signal=None))):
        (tmp_path / name).mkdir()
        Generator(backbone, backbone.transformers, sections(SETTINGS, CONDITION)).films(
            [one], 13, 8, tmp_path / name, quiet
        )
        films.append(np.load(tmp_path / name / "frames.npy"))
    assert (films[0] != films[1]).any()
    kept = course.keep(tmp_path / "film")
    assert kept.name == ("film.wav" if signal == "audio" else "film.pose.mp4")
    assert kept.stat().st_size > 0
