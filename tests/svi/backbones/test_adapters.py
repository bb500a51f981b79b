"""Signals in a real tiny WanTransformer3DModel: silent until trained, shown to every block, and not lost on the way."""

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from torch import Tensor

from svi.backbones.adapters import load_like
from svi.backbones.attention import stay_causal
from svi.backbones.backbone import Condition
from svi.backbones.catalogue import EXPERT
from svi.backbones.tiny import TinyBackbone
from svi.data.cache import LatentCache
from tests.svi.level import attach

T = torch.tensor([0.3, 0.8])


def velocity(backbone: TinyBackbone, cache: LatentCache, level: Tensor | None = None) -> Tensor:
    batch = cache.batch([0, 1], [False, False], [0, 0])
    condition: Condition = {**batch.condition, **({} if level is None else {"level": level})}
    return backbone.velocity(backbone.transformers[EXPERT], batch.latents, T, condition, batch.text)


def levels() -> Tensor:
    return torch.linspace(0, 1, 10).reshape(2, 5)


@pytest.mark.parametrize("level", [None, levels()])
def test_an_untrained_adapter_changes_no_bit(backbone: TinyBackbone, cache: LatentCache, level: Tensor | None) -> None:
    plain = velocity(backbone, cache)
    attach(backbone.transformers[EXPERT])
    assert torch.equal(velocity(backbone, cache, level), plain)


def test_it_acts_where_it_is_given_and_only_there(backbone: TinyBackbone, cache: LatentCache) -> None:
    plain = velocity(backbone, cache)
    attach(backbone.transformers[EXPERT], seed=0)
    changed = velocity(backbone, cache, levels())
    assert (changed - plain).abs().max() > 1e-3
    assert torch.equal(velocity(backbone, cache), plain)  # of the last forward nothing is left


def test_each_sample_is_shown_its_own(backbone: TinyBackbone, cache: LatentCache) -> None:
    attach(backbone.transformers[EXPERT], seed=0)
    one, other = levels(), levels()
    other[1] = 0.5
    a, b = velocity(backbone, cache, one), velocity(backbone, cache, other)
    torch.testing.assert_close(a[0], b[0])
    assert (a[1] - b[1]).abs().max() > 1e-4


def test_block_causal_attention_shows_it_too(backbone: TinyBackbone, cache: LatentCache) -> None:
    wan = backbone.transformers[EXPERT]
    attach(wan, seed=0)
    stay_causal(wan, 1)
    assert (velocity(backbone, cache, levels()) - velocity(backbone, cache)).abs().max() > 1e-3


def test_blocks_that_checkpointing_runs_again_are_shown_the_same(backbone: TinyBackbone, cache: LatentCache) -> None:
    """The backward pass runs when another forward has long been shown something else."""
    wan = backbone.transformers[EXPERT]
    attach(wan, seed=0)
    found = []
    for checkpointed in (False, True):
        wan.zero_grad()
        if checkpointed:
            wan.enable_gradient_checkpointing()
            wan.train()
        loss = velocity(backbone, cache, levels()).square().mean()
        velocity(backbone, cache, 1 - levels())
        loss.backward()
        found.append([p.grad.clone() for p in wan.parameters() if p.grad is not None])
    for plain, again in zip(*found, strict=True):
        torch.testing.assert_close(again, plain)


def test_a_copy_has_adapters_of_its_own(backbone: TinyBackbone, cache: LatentCache) -> None:
    wan = backbone.transformers[EXPERT]
    attach(wan, seed=0)
    before = velocity(backbone, cache, levels())
    copy = deepcopy(wan)
    with torch.no_grad():
        copy.blocks[0].level.spread.weight.zero_()
    assert torch.equal(velocity(backbone, cache, levels()), before)
    backbone.transformers[EXPERT] = copy
    assert torch.equal(velocity(backbone, cache, levels()), velocity(backbone, cache))


def test_weights_on_disk_hold_the_adapter(backbone: TinyBackbone, cache: LatentCache, tmp_path: Path) -> None:
    wan = backbone.transformers[EXPERT]
    attach(wan, seed=0)
    before = velocity(backbone, cache, levels())
    wan.save_pretrained(tmp_path)
    attach_again = deepcopy(wan)
    with torch.no_grad():
        for parameter in attach_again.parameters():
            parameter.zero_()
    backbone.transformers[EXPERT] = load_like(attach_again, tmp_path)
    assert torch.equal(velocity(backbone, cache, levels()), before)
