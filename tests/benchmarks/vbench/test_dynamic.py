from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.models.optical_flow.raft import ResidualBlock, _raft

from benchmarks.arrays import UInt8
from benchmarks.vbench import dynamic, raft
from benchmarks.vbench.dimension import DimensionScore, VideoInfo
from benchmarks.vbench.dynamic import DynamicDegree
from benchmarks.vbench.raft import Raft
from tests.benchmarks.vbench.vbench_videos import moving_frames

HEIGHT, WIDTH = 130, 138


@pytest.fixture(scope="module")
def published(motion_weights: Path) -> Raft:
    """The network of the published shapes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VBENCH_CACHE_DIR", str(motion_weights))
        return Raft.load()


@pytest.fixture(scope="module")
def model() -> Raft:
    """The same network with few channels, which knows a moving texture from a flat one as well, and ten times as fast."""
    narrow = Raft.__new__(Raft)
    torch.nn.Module.__init__(narrow)
    with torch.random.fork_rng([]):
        torch.manual_seed(0)
        network = _raft(
            weights=None, progress=False, use_mask_predictor=True,
            feature_encoder_layers=(8, 8, 12, 16, 32), feature_encoder_block=ResidualBlock,
            feature_encoder_norm_layer=torch.nn.InstanceNorm2d,
            context_encoder_layers=(8, 8, 12, 16, 32), context_encoder_block=ResidualBlock,
            context_encoder_norm_layer=torch.nn.BatchNorm2d,
            corr_block_num_levels=4, corr_block_radius=2,
            motion_encoder_corr_layers=(16, 16), motion_encoder_flow_layers=(8, 8), motion_encoder_out_channels=16,
            recurrent_block_hidden_state_size=16, recurrent_block_kernel_size=((1, 5), (5, 1)),
            recurrent_block_padding=((0, 2), (2, 0)), flow_head_hidden_size=16,
        )  # fmt: skip
    narrow.network = network.eval()
    return narrow


@pytest.fixture(autouse=True)
def few_iterations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raft, "ITERATIONS", 1)


def score(model: Raft, frames: UInt8, fps: float, curve: bool = True, block: int = 5) -> DimensionScore:
    dimension = DynamicDegree(model, curve=curve)
    dimension.begin(VideoInfo("film.mp4", fps, len(frames), *frames.shape[1:3]))
    for start in range(0, len(frames), block):
        dimension.feed(frames[start : start + block])
    return dimension.end()


@pytest.mark.parametrize(("fps", "stride"), [(3, 1), (8, 1), (12, 2), (16, 2), (20, 2), (24, 3), (25, 3), (30, 4)])
def test_every_sampled_frame_but_the_first_has_a_value(model: Raft, fps: float, stride: int) -> None:
    result = score(model, moving_frames(2 * stride + 2, HEIGHT, WIDTH), fps)
    assert list(np.flatnonzero(~np.isnan(result.frames))) == list(range(stride, 2 * stride + 2, stride))
    assert result.weight == 1


def test_values_do_not_depend_on_the_blocks(published: Raft) -> None:
    frames = moving_frames(9, HEIGHT, WIDTH)
    whole, single, uneven = (score(published, frames, 16, block=block) for block in (9, 1, 4))
    np.testing.assert_array_equal(whole.frames, single.frames)
    np.testing.assert_array_equal(whole.frames, uneven.frames)


def test_stopping_early_gives_the_same_answer(model: Raft, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = moving_frames(10, HEIGHT, WIDTH)
    frames[:4] = 100
    magnitudes = score(model, frames, 8).frames
    pairs = np.sort(magnitudes[1:])[::-1]
    for moving, answer, fewest, most in ((9, 1, 2, 2), (2, 1, 2, 9), (1, 0, 8, 9), (0, 0, 8, 8)):
        limit = np.mean(np.concatenate(([pairs[0] + 1], pairs, [pairs[-1] - 1]))[moving : moving + 2])
        assert np.sum(magnitudes[1:] > limit) == moving  # and two of ten frames are needed
        monkeypatch.setattr(dynamic, "THRESHOLD", limit / HEIGHT)
        early = score(model, frames, 8, curve=False)
        done = ~np.isnan(early.frames)
        assert early.value == answer
        assert fewest <= done.sum() <= most
        np.testing.assert_array_equal(early.frames[done], magnitudes[done])


def test_a_part_is_judged_as_if_it_were_the_video(model: Raft, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = moving_frames(21, HEIGHT, WIDTH)
    frames[:11] = 100
    monkeypatch.setattr(dynamic, "THRESHOLD", np.nanmedian(score(model, frames, 16).frames) / HEIGHT)
    result = score(model, frames, 16)
    answers = {}
    for start, stop in ((0, 5), (0, 13), (0, 20), (0, 21), (4, 12), (10, 21), (20, 21)):
        answers[start, stop] = score(model, frames[start:stop], 16).value
        assert result.of(start, stop) == answers[start, stop]
    assert answers[0, 13] == 0 < answers[10, 21]
    assert np.isnan(result.of(5, 6))  # none of its frames is sampled
    assert result.of(11, 16) == score(model, frames[12:16], 16).value  # still every second frame of the whole video


def test_what_was_not_measured_has_no_answer(model: Raft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamic, "THRESHOLD", 0)
    early = score(model, moving_frames(12, HEIGHT, WIDTH), 8, curve=False)
    assert np.count_nonzero(early.frames > 0) == 3  # of eleven pairs: twelve frames need three
    assert early.value == early.of(0, 6) == 1
    assert np.isnan(early.of(4, 12))


def test_the_threshold_decides(model: Raft, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = moving_frames(5, HEIGHT, WIDTH)
    slowest = np.nanmin(score(model, frames, 8).frames)
    for factor, answer in ((0.99, 1), (2, 0)):
        monkeypatch.setattr(dynamic, "THRESHOLD", factor * slowest / HEIGHT)
        assert score(model, frames, 8).value == answer


def test_the_value_is_the_mean_of_the_fastest_twentieth() -> None:
    network = Raft()
    head = network.network.update_block.flow_head.conv2
    torch.nn.init.zeros_(head.weight)
    head.bias.data = torch.tensor([0.3, 0.4])  # every cell moves by half a cell of 8 pixels
    result = score(network, moving_frames(3, 128, 136), 8)
    np.testing.assert_allclose(result.frames[1:], [4.0, 4.0], rtol=1e-6)
    assert result.value == 1  # 4 > 6 / 256 x 128


def test_one_frame_is_not_dynamic_and_two_always_are(model: Raft, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dynamic, "THRESHOLD", 1e9)
    frames = moving_frames(2, HEIGHT, WIDTH)
    assert score(model, frames[:1], 8).value == 0
    assert score(model, frames, 8).value == 1  # a quarter of two frames is rounded to none


def test_small_frames_and_missing_frames_are_refused(model: Raft) -> None:
    with pytest.raises(ValueError, match="expected at least 121"):
        score(model, moving_frames(3, 64, 200), 8)
    dimension = DynamicDegree(model)
    dimension.begin(VideoInfo("film.mp4", 8, 4, HEIGHT, WIDTH))
    dimension.feed(moving_frames(1, HEIGHT, WIDTH))
    with pytest.raises(ValueError, match=r"film\.mp4: received 1 frames, expected 4"):
        dimension.end()
