"""StreamingT2V-style training: an earlier image in the text, the clip as the cache would have it, and one step of real Wans."""

from pathlib import Path

import numpy as np
import pytest
import torch

from svi.backbones.wan import WanBackbone
from svi.data import world
from svi.data.cache import LatentCache
from svi.data.footage import WorldFootage
from svi.lora import adapter as lora
from svi.method.anchor_tokens import TOKENS, anchor_tokens
from svi.objectives.anchor_tokens import AnchorTokens
from svi.objectives.objective import Setup
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from svi.training.loop import train
from tests.svi.conftest import CONDITION, DATA, make_backbone
from tests.svi.objectives.test_packed_history import TRAIN, make_cache, setup
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder


@pytest.fixture
def given(cache: LatentCache, tmp_path: Path) -> Setup:
    return setup(make_backbone(), cache, tmp_path)


def test_the_text_begins_with_an_earlier_image_of_the_scene(given: Setup) -> None:
    """The clip is a later one of the same scene, with its own condition; 0 to 16 clips lie between, evenly."""
    objective, backbone, found = AnchorTokens(given), given.backbone, []
    plain = objective.clips(range(40))
    clips = objective.inputs(given.model, plain, 0)
    scenes = WorldFootage(DATA).scenes
    for k in range(40):
        film = torch.from_numpy(world.render([scenes[objective.draws[k].clip]] * 69))
        latents = backbone.encode(film[None])
        tokens = anchor_tokens(latents[:, :, 0], plain.text.shape[2])[0]
        assert torch.equal(clips.text[k], torch.cat([tokens, plain.text[k]]))
        at = [n for n in range(17) if torch.equal(clips.latents[k], latents[0, :, 4 * n : 4 * n + 5])]
        found += at[:1]
        frames = film[None, 4 * at[0] : 4 * at[0] + 5]
        condition = backbone.condition(frames[:, :1], film[:1], CONDITION)["latents"][0]
        assert torch.equal(clips.condition["latents"][k], condition)
    assert len(found) == 40
    assert len(np.unique(found)) > 10


def test_without_a_way_between_it_is_the_cached_clip(given: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no clip lies between, latents and condition are what the latent cache has."""
    condition = ConditionSettings(motion_frames=3, padding="zeros", p_motion=0.5)
    backbone = make_backbone()
    given = setup(backbone, make_cache(backbone, given.folder / "other", condition), given.folder, condition=condition)
    objective = AnchorTokens(given)
    monkeypatch.setattr(objective, "_later", lambda k, row: 0)
    plain = objective.clips(range(12))
    clips = objective.inputs(given.model, plain, 0)
    torch.testing.assert_close(clips.latents, plain.latents)
    torch.testing.assert_close(clips.condition, plain.condition)
    assert {draw.short for draw in (objective.draws[k] for k in range(12))} == {True, False}


def test_the_anchor_reaches_the_loss(given: Setup) -> None:
    objective = AnchorTokens(given)
    clips = objective.inputs(given.model, objective.clips(range(4)), 0)
    other = clips.changed(text=torch.cat([-clips.text[:, :TOKENS], clips.text[:, TOKENS:]], dim=1))
    assert objective.matched(given.model, clips) != objective.matched(given.model, other)


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_a_real_wan_is_trained(wan_folder: WanFolder, tmp_path: Path, kind: Kind) -> None:
    data = DataSettings(clips=2, clip_frames=13, height=32, width=32)
    condition = ConditionSettings(motion_frames=5)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    given = setup(backbone, make_cache(backbone, tmp_path, condition, data), tmp_path, data, condition)
    model = lora.adapted(backbone, TRAIN, "transformer")
    train(model, AnchorTokens(given), TRAIN, tmp_path, lambda done, total: None)
    moved = [float(p.detach().abs().max()) for name, p in model.named_parameters() if "lora_B" in name]
    assert max(moved) > 0
