"""Clips of the model's own in place of true ones."""

from pathlib import Path

import torch

from svi.data.cache import Batch
from svi.objectives.objective import Objective
from svi.objectives.pool import Pool
from tests.svi.objectives.rolling import same, settings, setup


def filled(value: float, rows: int, like: Batch) -> Batch:
    condition = {name: torch.full_like(x[:rows], value) for name, x in like.condition.items()}
    return Batch(torch.full_like(like.latents[:rows], value), condition, torch.full_like(like.text[:rows], value))


def test_a_share_of_the_samples_is_replaced_whole_and_the_same_in_any_micro_batch(tmp_path: Path) -> None:
    """Latents, condition and text together; times and noise stay, so that two objectives differ in nothing else."""
    objective = Objective(setup(tmp_path, settings()))
    clips, pool = objective.clips(range(400)), Pool()
    assert pool.mixed(clips, 1.0) is clips
    like = Batch(clips.latents, clips.condition, clips.text)
    pool.add(filled(7.0, 2, like))
    pool.add(filled(8.0, 3, like))
    assert len(pool) == 5
    mixed = pool.mixed(clips, 0.25)
    values = mixed.latents.flatten(1)[:, 0]
    own = (values == 7) | (values == 8)
    assert 70 < int(own.sum()) < 130
    assert 25 < int((values == 7).sum()) < 60  # two of five
    for new, old in ((mixed.latents, clips.latents), (mixed.text, clips.text)):
        assert torch.equal(new[~own], old[~own])
        assert (new[own].flatten(1) == values[own, None]).all()
    assert (mixed.condition["latents"][own].flatten(1) == values[own, None]).all()
    assert torch.equal(mixed.t, clips.t)
    assert torch.equal(mixed.noise, clips.noise)
    parts = [pool.mixed(objective.clips(range(at, at + 100)), 0.25).latents for at in range(0, 400, 100)]
    assert torch.equal(torch.cat(parts), mixed.latents)


def test_a_pool_comes_back_from_its_state(tmp_path: Path) -> None:
    objective, pool, other = Objective(setup(tmp_path, settings())), Pool(), Pool()
    other.load_state_dict(pool.state_dict())
    assert len(other) == 0
    clips = objective.clips(range(3))
    pool.add(Batch(clips.latents, clips.condition, clips.text))
    other.load_state_dict(pool.state_dict())
    assert same(other.state_dict(), pool.state_dict())
