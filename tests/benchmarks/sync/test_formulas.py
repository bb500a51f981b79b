"""Sync-C, Sync-D, the offset and the curve, from features."""

import numpy as np
import pytest
import torch
from scipy.signal import medfilt

from benchmarks.sync.agreement import FARTHEST, agreement, distances
from benchmarks.sync.median import median_filter


def features(windows: int, seed: int, width: int = 24) -> torch.Tensor:
    return torch.randn(windows, width, generator=torch.Generator().manual_seed(seed))


def by_the_formula(lips: np.ndarray, sound: np.ndarray) -> np.ndarray:
    """d[t, j] = |v_t - a_(t + j - 15) + 1e-6|, a = 0 outside."""
    found = np.empty((len(lips), 31))
    for t in range(len(lips)):
        for j in range(31):
            heard = t + j - 15
            other = sound[heard] if 0 <= heard < len(sound) else np.zeros(sound.shape[1])
            found[t, j] = np.sqrt(((lips[t] - other + 1e-6) ** 2).sum())
    return found


@pytest.mark.parametrize("windows", [1, 2, 16, 40])
def test_scores_follow_the_formulas(windows: int) -> None:
    lips, sound = features(windows, 1), features(windows, 2)
    expected = by_the_formula(lips.double().numpy(), sound.double().numpy())
    found = distances(lips, sound)
    assert found.dtype == torch.float64
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-12)
    score = agreement(found)
    means = expected.mean(axis=0)
    assert score.distance == pytest.approx(means.min(), rel=1e-12)
    assert score.confidence == pytest.approx(np.median(means) - means.min(), rel=1e-12)
    assert score.offset == 15 - means.argmin()
    padded = np.pad(np.median(means) - expected[:, means.argmin()], 4)
    np.testing.assert_allclose(score.curve, [np.median(padded[t : t + 9]) for t in range(windows)], rtol=1e-9)


def test_blocks_of_windows_give_the_distances_of_all() -> None:
    lips, sound = features(50, 1), features(50, 2)
    blocks = [distances(lips[start : start + 8], sound, start) for start in range(0, 50, 8)]
    assert torch.equal(torch.cat(blocks), distances(lips, sound))


@pytest.mark.parametrize("shift", range(-FARTHEST, FARTHEST + 1))
def test_sound_that_is_ahead_moves_the_offset_by_as_much(shift: int) -> None:
    lips = features(80, shift)
    noise = 0.1 * features(80, 100 + shift)
    sound = torch.roll(lips, -shift, dims=0) + noise  # the sound of window t is at t - shift
    score = agreement(distances(lips, sound))
    assert score.offset == shift
    assert score.confidence > 1


def test_confidence_tells_agreement_from_chance() -> None:
    lips, noise = features(200, 1), features(200, 2)
    found = [agreement(distances(lips, (1 - share) * lips + share * noise)) for share in (0, 0.5, 1)]
    confidences, dists = [one.confidence for one in found], [one.distance for one in found]
    assert confidences == sorted(confidences, reverse=True)
    assert dists == sorted(dists)
    assert confidences[0] > 10 * confidences[2]


def test_the_curve_before_its_filter_has_the_confidence_as_its_mean() -> None:
    found = distances(features(60, 3), features(60, 4))
    score = agreement(found)
    means = found.mean(dim=0)
    raw = means.median() - found[:, means.argmin()]
    assert float(raw.mean()) == pytest.approx(score.confidence, rel=1e-12)


@pytest.mark.parametrize(("length", "width"), [(50, 13), (13, 13), (9, 9), (30, 1)])
def test_the_median_filter_is_scipys(length: int, width: int) -> None:
    values = np.random.default_rng(length).normal(size=length)
    assert np.array_equal(median_filter(values, width), medfilt(values, width))


def test_the_median_filter_takes_fewer_values_than_it_is_wide() -> None:
    assert median_filter(np.array([3.0, 5.0]), 5).tolist() == [0, 0]
    assert median_filter(np.array([3.0, 4.0, 5.0]), 5).tolist() == [3, 3, 3]
