"""Self-rollout: own conditions, true targets, and the estimate's first frame held to the condition."""

from pathlib import Path

import pytest
import torch

from svi.objectives.self_rollout import SelfRollout
from tests.svi.objectives.rolling import (
    WHOLE,
    evaluations,
    interrupted,
    open_wan,
    same,
    settings,
    setup,
    stepped,
    steps_on_wan,
)
from tests.svi.wan_folder import ONE_QUICK, Kind, WanFolder


def test_the_condition_is_the_models_own_and_the_target_true(tmp_path: Path) -> None:
    made = setup(tmp_path, settings(starts=2))
    objective = SelfRollout(made)
    objective.refresh(made.model, 0)
    (starts,) = objective.rollouts.of_step(0)
    assert objective.pool.clips is not None
    targets = objective.pool.clips.latents.unflatten(0, (3, 2))
    given = objective.pool.clips.condition["latents"].unflatten(0, (3, 2))
    rolled = objective.rollouts.roll(made.model, starts)
    for clips in (1, 2, 3):
        true = objective.rollouts.true(starts, clips)
        assert torch.equal(targets[clips - 1], true.latents)
        assert torch.equal(given[clips - 1], rolled[clips - 1].after["latents"])
        assert not torch.allclose(given[clips - 1], true.condition["latents"], atol=0.1)


def test_films_are_made_anew_every_few_steps_by_the_model_of_that_step(tmp_path: Path) -> None:
    made = setup(tmp_path, settings(every=2, starts=2, train=WHOLE))
    objective, pools = SelfRollout(made), []
    for step in range(4):
        with evaluations(made.backbone) as seen:
            stepped(objective, made.model, step)
        assert [one.gradient for one in seen] == [False] * (9 if step % 2 == 0 else 0) + [True]
        pools.append(objective.pool.state_dict())
        assert len(objective.pool) == 6
        with torch.no_grad():
            for weight in made.model.parameters():
                weight += 0.1 * torch.randn_like(weight)
    assert same(pools[0], pools[1])
    assert not same(pools[1]["condition"], pools[2]["condition"])
    assert same(pools[2], pools[3])


def test_all_is_as_without_rollouts_where_their_share_is_zero(tmp_path: Path) -> None:
    made = setup(tmp_path, settings(share=0.0, consistency=0.0))
    objective = SelfRollout(made)
    clips = objective.clips(range(4))
    assert torch.equal(objective.loss(made.model, clips, 0), objective.matched(made.model, objective.clips(range(4))))


def test_the_seam_is_zero_exactly_where_the_first_frame_is_the_condition(tmp_path: Path) -> None:
    """Estimates of the true clip under its true condition; a first frame that is 2 off everywhere costs 4, a later one nothing."""
    made = setup(tmp_path, settings())
    objective = SelfRollout(made)
    clips = objective.clips(range(4))
    v = clips.target.clone()
    torch.testing.assert_close(objective.seam(v, clips), torch.zeros(()), atol=1e-8, rtol=0)
    off = 2 / (1 - clips.t)[:, None, None, None]
    v[:, :, 0] += off
    torch.testing.assert_close(objective.seam(v, clips), torch.tensor(4.0), atol=1e-3, rtol=0)
    v = clips.target.clone()
    v[:, :, 1] += off
    torch.testing.assert_close(objective.seam(v, clips), torch.zeros(()), atol=1e-8, rtol=0)


def test_interrupted_and_resumed_is_bit_identical(tmp_path: Path) -> None:
    """Between two refreshes, so that the films come from the checkpoint."""
    weights, _ = interrupted(SelfRollout, tmp_path)
    assert max(float(x.abs().max()) for name, x in weights.items() if "lora_B" in name) > 0


@pytest.mark.parametrize("kind", ONE_QUICK)
def test_a_step_and_two_clips_on_wan(kind: Kind, wan_folder: WanFolder, tmp_path: Path) -> None:
    backbone, read = open_wan(wan_folder(kind), clips=2, starts=1, share=1.0)
    objective = steps_on_wan(SelfRollout, tmp_path, backbone, read)
    assert objective is None or len(objective.pool) == 2
