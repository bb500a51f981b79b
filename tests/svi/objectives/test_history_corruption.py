"""Helios-style history corruption around a real model: what of the condition changes, and that nothing else does."""

from pathlib import Path

import pytest
import torch

from svi.backbones.tiny import TinyBackbone
from svi.data.cache import LatentCache
from svi.method.corruption import corrupted
from svi.objectives.history_corruption import HistoryCorruption
from svi.objectives.objective import Objective
from svi.settings import ConditionSettings
from tests.svi.conftest import make_backbone, make_cache
from tests.svi.objectives.setups import setup, wan
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder


def test_the_condition_is_corrupted_and_nothing_else(backbone: TinyBackbone, cache: LatentCache) -> None:
    """Of the recipe's condition, one motion frame again and again: every copy alike."""
    ours, plain = (kind(setup(backbone, cache)) for kind in (HistoryCorruption, Objective))
    model = backbone.transformers["transformer"]
    given, clean = ours.inputs(model, ours.clips(range(16)), 0), plain.clips(range(16))
    change = given.condition["latents"] - clean.condition["latents"]
    assert not change[:, :4].any()  # the mask
    torch.testing.assert_close(change[:, 4:], change[:, 4:, :1].expand(-1, -1, 5, -1, -1))
    for name in ("latents", "noise", "t", "text"):
        assert torch.equal(getattr(given, name), getattr(clean, name))
    assert torch.equal(given.target, clean.target)
    for i, k in enumerate(range(16)):
        expected = corrupted(clean.condition["latents"][i, 4:, :1], ours.draws[k].generator)
        torch.testing.assert_close(given.condition["latents"][i, 4:, :1], expected)
    changed = change.flatten(1).abs().amax(1) > 1e-6
    assert changed.float().mean() > 0.8


@pytest.mark.parametrize("padding", ["zeros", "reference"])
def test_anchor_and_padding_stay(tmp_path: Path, padding: str) -> None:
    condition = ConditionSettings(motion_frames=2, padding=padding, anchor=True)
    backbone = make_backbone()
    objective = HistoryCorruption(setup(backbone, make_cache(backbone, tmp_path, condition), condition))
    clips = objective.clips(range(12))
    change = objective.inputs(backbone.transformers["transformer"], clips, 0).condition["latents"]
    change = (change - clips.condition["latents"])[:, 4:]
    assert not change[:, :, :1].any()
    assert change[:, :, 1:3].flatten(1).any(1).sum() > 9
    assert not change[:, :, 3:].any()


def test_a_sample_s_draws_do_not_depend_on_its_micro_batch(backbone: TinyBackbone, cache: LatentCache) -> None:
    model = backbone.transformers["transformer"]
    whole, halves = (
        torch.stack(
            [x.detach() for x in HistoryCorruption(setup(backbone, cache)).losses(model, range(8), n, 0, range(0))]
        )
        for n in (8, 4)
    )
    torch.testing.assert_close(whole[0], halves.mean())


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_a_step_of_a_real_wan(kind: Kind, wan_folder: WanFolder, tmp_path: Path) -> None:
    condition = ConditionSettings(motion_frames=1, padding="zeros")
    backbone, data = wan(wan_folder(kind), tmp_path, condition)
    objective = HistoryCorruption(setup(backbone, data, condition))
    model = backbone.transformers["transformer"].requires_grad_(True)
    (loss,) = objective.losses(model, range(2), 2, 0, range(0))
    torch.autograd.backward(loss)
    assert torch.isfinite(loss)
    assert any(p.grad is not None and p.grad.any() for p in model.parameters())
    model.requires_grad_(False).zero_grad()
