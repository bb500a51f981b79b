"""Helios' detector: what it finds, what it cannot find, and what it does then."""

import pytest
import torch
from torch import Tensor

from svi.method.drift_detector import DECAY, LIMIT, STRENGTH, disturbed, drifted, statistics, updated


def clip(mean: float, deviation: float, seed: int = 0) -> Tensor:
    """Of exactly these statistics in each of 4 channels. [1, 4, 5, 6, 6]"""
    x = torch.randn(1, 4, 5, 6, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    dims = (2, 3, 4)
    return mean + deviation * (x - x.mean(dims, keepdim=True)) / x.std(dims, keepdim=True)


def found(*clips: Tensor) -> list[bool]:
    """By clip of a film."""
    average, verdicts = None, []
    for latents in clips:
        now = statistics(latents)
        average = updated(average, now)
        verdicts.append(bool(drifted(average, now)))
    return verdicts


def test_statistics_are_those_of_each_channel_of_each_film() -> None:
    mean, var = statistics(torch.cat([clip(1.0, 2.0), clip(-3.0, 0.5)]))
    torch.testing.assert_close(mean, torch.tensor([[1.0], [-3.0]], dtype=torch.float64).expand(2, 4))
    torch.testing.assert_close(var, torch.tensor([[4.0], [0.25]], dtype=torch.float64).expand(2, 4))


def test_both_must_move() -> None:
    still = clip(0.0, 1.0)
    assert found(still, clip(0.5, 1.4, 1)) == [False, True]
    assert found(still, clip(0.5, 1.0, 1)) == [False, False]
    assert found(still, clip(0.0, 1.4, 1)) == [False, False]
    assert found(still, clip(0.0, 1.0, 1), clip(0.0, 1.0, 2)) == [False, False, False]


@pytest.mark.parametrize(("times", "verdict"), [(0.98, False), (1.02, True)])
def test_the_limit_is_on_the_norm_over_channels_from_the_average_that_holds_the_clip(
    times: float, verdict: bool
) -> None:
    moved = times * LIMIT / DECAY / 4**0.5  # of each of 4 channels, in the mean and in the variance
    assert found(clip(0.0, 1.0), clip(moved, (1 + moved) ** 0.5, 1)) == [False, verdict]


def test_what_creeps_is_followed_and_never_found() -> None:
    creeping = [clip(0.005 * i, (1 + 0.005 * i) ** 0.5, i) for i in range(150)]
    assert found(*creeping) == [False] * 150
    assert found(creeping[0], creeping[-1]) == [False, True]


def test_the_average_decays() -> None:
    first, second = statistics(clip(0.0, 1.0)), statistics(clip(1.0, 2.0))
    mean, var = updated(updated(None, first), second)
    torch.testing.assert_close(mean, torch.full_like(mean, 0.1))
    torch.testing.assert_close(var, torch.full_like(var, 0.9 * 1 + 0.1 * 4))


def test_films_side_by_side_are_judged_and_disturbed_alone() -> None:
    before, now = torch.cat([clip(0.0, 1.0), clip(0.0, 1.0)]), torch.cat([clip(0.0, 1.0, 1), clip(2.0, 2.0, 1)])
    where = drifted(updated(statistics(before), statistics(now)), statistics(now))
    assert where.tolist() == [False, True]
    noise = torch.randn(now.shape, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    after = disturbed(now, where, noise)
    assert torch.equal(after[0], now[0])
    torch.testing.assert_close(after[1] - now[1], STRENGTH * noise[1])
