"""Subject consistency: the formula, the preprocessing, and DINO's positions."""

import numpy as np
import pytest
import torch

from benchmarks.vbench import dino
from benchmarks.vbench.consistency import Consistency
from benchmarks.vbench.dimension import VideoInfo
from benchmarks.vbench.dino import GRID, Dino
from benchmarks.vbench.images import centre_crop, normalise, resize, resize_short_side, to_images
from benchmarks.vbench.subject import SubjectConsistency
from tests.benchmarks.vbench.vbench_videos import moving_frames
from tests.benchmarks.vbench.vbench_weights import randomised


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return max(0.0, float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)))


@pytest.mark.parametrize("blocks", [[7], [1, 1, 5], [3, 4], [6, 1]])
def test_consistency_is_the_mean_likeness_with_the_frame_before_and_the_first(blocks: list[int]) -> None:
    features = np.random.default_rng(0).standard_normal((7, 5)).astype(np.float32)
    consistency = Consistency()
    for part in torch.split(torch.from_numpy(features), blocks):
        consistency.add(part)
    score = consistency.score()
    expected = [(cosine(features[t - 1], features[t]) + cosine(features[0], features[t])) / 2 for t in range(1, 7)]
    assert 0.0 in expected  # a negative cosine counts as 0
    assert np.isnan(score.frames[0])
    np.testing.assert_allclose(score.frames[1:], expected, atol=1e-6)
    assert score.value == pytest.approx(np.mean(score.frames[1:]))
    assert score.weight == 6


def test_a_part_is_compared_with_the_video_s_first_frame() -> None:
    features = torch.randn(9, 5, generator=torch.Generator().manual_seed(1)) + 1
    whole = Consistency()
    whole.add(features)
    score = whole.score()
    assert score.value == score.of(0, 9)
    prefix = Consistency()
    prefix.add(features[:6])
    assert score.of(0, 6) == pytest.approx(prefix.score().value, abs=1e-12)
    assert score.of(3, 6) == pytest.approx(score.frames[4:6].mean(), abs=1e-12)  # frame 3's neighbour is not in it
    assert np.isnan(score.of(0, 1))
    assert np.isnan(score.of(8, 9))
    for start, stop in ((-1, 3), (3, 3), (4, 10)):
        with pytest.raises(ValueError, match=rf"received {start} to {stop}, expected some of 0 to 9"):
            score.of(start, stop)


def test_a_broken_model_gives_no_score_instead_of_zero() -> None:
    consistency = Consistency()
    consistency.add(torch.full((3, 4), float("nan")))
    assert np.isnan(consistency.score().value)


@pytest.mark.parametrize(
    ("height", "width", "size"), [(480, 832, (224, 388)), (832, 480, (388, 224)), (9, 9, (224, 224))]
)
def test_the_short_side_is_resized_and_the_long_one_rounded_down(
    height: int, width: int, size: tuple[int, int]
) -> None:
    assert resize_short_side(torch.zeros(1, 3, height, width), 224).shape[2:] == size


def test_shrinking_samples_without_antialiasing() -> None:
    row = torch.tensor([0.0, 60, 0, 0, 120, 0, 30, 90, 60]).expand(1, 3, 9, 9)
    # Nine pixels to three: the samples lie on pixels 1, 4 and 7.
    assert resize(row, (9, 3))[0, 0, 0].tolist() == [60, 120, 90]


def test_bicubic_overshoot_is_kept() -> None:
    edge = torch.tensor([0.0, 0, 0, 255, 255, 255]).expand(1, 3, 6, 6)
    wide = resize(edge, (6, 18), "bicubic")
    assert wide.max() > 260
    assert wide.min() < -5


def test_the_middle_is_cropped_and_normalised() -> None:
    images = torch.arange(5.0).expand(1, 3, 4, 5)
    assert centre_crop(images, 4)[0, 0, 0].tolist() == [0, 1, 2, 3]  # half a pixel goes to the even side
    pixel = normalise(torch.full((1, 3, 1, 1), 51.0), (0.1, 0.2, 0.3), (0.1, 0.5, 1.0)).flatten()
    torch.testing.assert_close(pixel, torch.tensor([1.0, 0.0, -0.1]))


def test_frames_become_images() -> None:
    frames = moving_frames(2, 5, 7)
    images = to_images(frames)
    assert images.shape == (2, 3, 5, 7)
    assert images[1, 2, 3, 4] == frames[1, 3, 4, 2]


def cubic(values: np.ndarray, at: float) -> float:
    """Cubic convolution (Keys 1981) with a = -3/4, the last values repeated."""
    near = int(np.floor(at))
    total = 0.0
    for i in range(near - 1, near + 3):
        d = abs(at - i)
        inner, outer = (1.25 * d - 2.25) * d * d + 1, ((-0.75 * d + 3.75) * d - 6) * d + 3
        total += values[min(max(i, 0), len(values) - 1)] * (inner if d <= 1 else outer)
    return total


def test_positions_are_stretched_by_the_scale_factor_and_not_to_the_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dino, "LAYERS", 0)
    model = Dino()
    assert model._positions(224, 224) is model.pos_embed
    line = np.random.default_rng(0).standard_normal(GRID)
    with torch.no_grad():  # each position holds its column's value
        model.pos_embed[:, 1:] = torch.tensor(line).float().expand(GRID, GRID).reshape(1, -1, 1)
    stretched = model._positions(224, 388)[0, 1:, 0].reshape(14, 24)
    expected = [cubic(line, (column + 0.5) * 14 / 24.1 - 0.5) for column in range(24)]
    np.testing.assert_allclose(stretched[7].detach(), expected, atol=1e-5)


def test_a_still_video_is_consistent_and_a_changing_one_less(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dino, "LAYERS", 2)
    dimension = SubjectConsistency(randomised(Dino(), seed=0).eval())
    frames = moving_frames(2, 32, 32)
    values = []
    for video in (frames[[0, 0]], frames):
        dimension.begin(VideoInfo("a", 16, 2, 32, 32))
        dimension.feed(video[:1])
        dimension.feed(video[1:])
        values.append(dimension.end().value)
    assert values[0] == pytest.approx(1, abs=1e-6)
    assert values[1] < 0.99
