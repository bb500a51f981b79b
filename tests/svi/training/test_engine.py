"""A step of the DeepSpeed engine beside one by hand: gradients that are clipped or just not, of one or more micro-batches."""

from copy import deepcopy
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from svi.settings import TrainSettings
from svi.training import ranks
from svi.training.engine import engine_for, take_step

BATCH = 4


@pytest.fixture(autouse=True, scope="module")
def joined() -> None:
    ranks.join()


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3))


def engine_of(net: nn.Module, clip: float, micro: int) -> Any:
    return engine_for(net, TrainSettings(batch=BATCH, micro_batch=micro, lr=1e-2, grad_clip=clip))


def batches(steps: int) -> Tensor:
    """[steps, BATCH, 5], of gradients whose sizes differ from step to step."""
    return (
        torch.randn(steps, BATCH, 5, generator=torch.Generator().manual_seed(1))
        * torch.linspace(3, 0.1, steps)[:, None, None]
    )


def taken(engine: Any, clip: float, micro: int, steps: int) -> list[float]:
    """Train; the norms that each step told of its micro-batches, in order."""
    norms = []
    for batch in batches(steps):
        for part in batch.split(micro):
            engine.backward(engine(part).square().mean())
            norms.append(take_step(engine, clip))
    return norms


def by_hand(net: nn.Module, clip: float, steps: int) -> tuple[list[float], torch.optim.AdamW]:
    """The same with torch alone, a batch at once; the norms before clipping."""
    optimizer, norms = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.01), []
    for batch in batches(steps):
        optimizer.zero_grad()
        net(batch).square().mean().backward()
        norms.append(float(torch.nn.utils.clip_grad_norm_(net.parameters(), clip)))
        optimizer.step()
    return norms, optimizer


def averages(net: nn.Module, optimizer: Any) -> list[Tensor]:
    """Of gradients as they were stepped with, a tensor each."""
    return [optimizer.state[parameter]["exp_avg"] for parameter in net.parameters()]


@pytest.mark.parametrize("micro", [BATCH, BATCH // 2])
def test_steps_are_those_of_torch_and_its_clipping(micro: int) -> None:
    net, clip, steps = model(), 0.4, 6
    other = deepcopy(net)
    engine = engine_of(net, clip, micro)
    told = taken(engine, clip, micro, steps)
    norms, optimizer = by_hand(other, clip, steps)
    assert min(norms) < 0.8 * clip  # some steps are clipped hard, and others not at all
    assert max(norms) > 2 * clip
    whole = told[BATCH // micro - 1 :: BATCH // micro]
    assert whole == pytest.approx(norms, rel=1e-5)
    assert sum(told) == pytest.approx(sum(whole))  # no norm before the last micro-batch of a step
    for mine, theirs in zip(net.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
    for kept, expected in zip(averages(net, engine.optimizer), averages(other, optimizer), strict=True):
        torch.testing.assert_close(kept, expected, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("clip", [1e-6, 1e-3, 1.0])
@pytest.mark.parametrize("under", [0.0, 5e-7, 2e-6])
def test_a_norm_just_under_the_limit_is_clipped_as_deepspeed_clips_it(clip: float, under: float) -> None:
    """It holds the norm and 1e-6 against the limit: also under one that is not much more than that."""
    net = nn.Linear(1, 1, bias=False)
    norm = clip - min(under, clip / 2)
    engine = engine_of(net, clip, BATCH)
    engine.backward((engine(torch.full((BATCH, 1), norm))).mean())
    assert take_step(engine, clip) == pytest.approx(norm, rel=1e-5)
    [average] = averages(net, engine.optimizer)
    assert float(average) == pytest.approx(0.1 * norm * min(1, clip / (norm + 1e-6)), rel=2e-6)


def test_one_rank_needs_no_sum_over_ranks() -> None:
    found = []
    for summed in (False, True):
        net = model()
        engine = engine_of(net, 0.3, 2)
        assert not engine.enable_backward_allreduce
        engine.enable_backward_allreduce = summed
        found.append((taken(engine, 0.3, 2, 5), [parameter.detach().clone() for parameter in net.parameters()]))
    (norms, plain), (norms_summed, summed_weights) = found
    assert norms == norms_summed
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(plain, summed_weights, strict=True))
