"""FramePack-style training: whose past stands where, what is predicted, and one step of real Wans."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from svi.backbones.backbone import Backbone
from svi.backbones.wan import WanBackbone
from svi.data import world
from svi.data.cache import LatentCache
from svi.data.footage import WorldFootage
from svi.lora import adapter as lora
from svi.method.packing import packed
from svi.objectives.objective import Setup
from svi.objectives.packed_history import PackedHistory
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, FlowSettings, TrainSettings
from svi.training.loop import train
from tests.svi.conftest import CONDITION, DATA, make_backbone, make_cache
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder

TRAIN = TrainSettings(steps=1, batch=2, lr=1e-3, rank=4, alpha=4)


def setup(
    backbone: Backbone,
    cache: LatentCache,
    folder: Path,
    data: DataSettings = DATA,
    condition: ConditionSettings = CONDITION,
) -> Setup:
    settings = SimpleNamespace(flow=FlowSettings(), condition=condition, data=data)
    return Setup(backbone, cache, settings, 0, folder, backbone.transformers["transformer"])


@pytest.fixture
def given(cache: LatentCache, tmp_path: Path) -> Setup:
    return setup(make_backbone(), cache, tmp_path)


def test_a_window_is_the_true_film_with_its_past_packed(given: Setup) -> None:
    """Of a scene played on: the clip that begins n clips later, behind all frames before it; n from 0 to 5, evenly."""
    objective, lengths = PackedHistory(given), []
    scenes = WorldFootage(DATA).scenes
    for k in range(60):
        window = objective.window(k)
        scene = scenes[objective.draws[k].clip]
        film = given.backbone.encode(torch.from_numpy(world.render([scene] * 25))[None])[0]
        at = [n for n in range(6) if torch.equal(window[:, 2:], film[:, 4 * n : 4 * n + 5])]
        lengths += at
        assert torch.equal(window[:, :2], packed(film[None, :, : 4 * at[0]])[0])
    assert np.bincount(lengths, minlength=6).min() > 2


def test_the_past_is_given_and_the_rest_is_predicted(given: Setup) -> None:
    objective = PackedHistory(given)
    clips = objective.inputs(given.model, objective.clips(range(4)), 0)
    assert (clips.t[:, :3] == 1).all()
    assert (clips.t[:, 3:] == objective.clips(range(4)).t[:, None]).all()
    assert torch.equal(clips.x_t[:, :, :3], clips.latents[:, :, :3])
    assert not clips.condition["latents"].any()
    v = given.backbone.velocity(given.model, clips.x_t, clips.t, clips.condition, clips.text)
    error = (v - (clips.latents - clips.noise)).square()[:, :, 3:].mean()
    torch.testing.assert_close(objective.loss(given.model, objective.clips(range(4)), 0), error)


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_a_real_wan_is_trained(wan_folder: WanFolder, tmp_path: Path, kind: Kind) -> None:
    """Clips of four latents, which share two, at sizes of which a quarter is left."""
    side = 64 if kind == "wan2.2-ti2v" else 32
    data = DataSettings(clips=2, clip_frames=13, height=side, width=side)
    condition = ConditionSettings(motion_frames=5)
    backbone = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=16), data)
    given = setup(backbone, make_cache(backbone, tmp_path, condition, data), tmp_path, data, condition)
    model = lora.adapted(backbone, TRAIN, "transformer")
    train(model, PackedHistory(given), TRAIN, tmp_path, lambda done, total: None)
    moved = [float(p.detach().abs().max()) for name, p in model.named_parameters() if "lora_B" in name]
    assert max(moved) > 0


def test_footage_that_the_cache_lacks_is_refused(given: Setup) -> None:
    given.settings.data = DATA.model_copy(update={"clips": 25})
    with pytest.raises(ValueError, match=r"the latent cache has 24 of 25 clips"):
        PackedHistory(given)


def test_draws_do_not_depend_on_what_came_before(given: Setup) -> None:
    one: Any = PackedHistory(given)
    later = one.window(7)
    assert torch.equal(PackedHistory(given).window(7), later)
