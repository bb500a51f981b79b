import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.arrays import UInt8
from benchmarks.vbench.amt import AmtS
from benchmarks.vbench.dimension import DimensionScore, VideoInfo
from benchmarks.vbench.files import AMT_S
from benchmarks.vbench.motion import MotionSmoothness
from tests.benchmarks.vbench.vbench_motion_weights import amt_shapes, write_amt
from tests.benchmarks.vbench.vbench_videos import moving_frames

HEIGHT, WIDTH = 130, 138


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(tmp_path))
    write_amt(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def model(motion_weights: Path) -> AmtS:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VBENCH_CACHE_DIR", str(motion_weights))
        return AmtS.load()


def averaging_network() -> AmtS:
    """AMT with nothing learnt in its last layers: no flow, equal shares, no residue."""
    network = AmtS()
    last = [getattr(network, f"decoder{level}").convblock[2] for level in (4, 3, 2, 1)]
    last += [getattr(network, f"update{level}").flow_head[2] for level in (4, 3, 2)]
    for layer in (*last, network.comb_block[2]):
        torch.nn.init.zeros_(layer.weight)
        torch.nn.init.zeros_(layer.bias)
    return network


def score(model: AmtS, frames: UInt8, block: int = 4) -> DimensionScore:
    dimension = MotionSmoothness(model)
    dimension.begin(VideoInfo("film.mp4", 16, len(frames), *frames.shape[1:3]))
    for start in range(0, len(frames), block):
        dimension.feed(frames[start : start + block])
    return dimension.end()


@pytest.mark.parametrize("count", [3, 6, 7])
def test_odd_frames_are_held_against_the_mean_of_their_neighbours(count: int) -> None:
    frames = moving_frames(count, HEIGHT, WIDTH)
    result = score(averaging_network(), frames)
    odd = np.arange(1, count - 1, 2)
    assert list(np.flatnonzero(~np.isnan(result.frames))) == list(odd)
    middles = (frames[odd - 1].astype(float) + frames[odd + 1]) / 2
    expected = 1 - np.abs(frames[odd] - middles).mean(axis=(1, 2, 3)) / 255
    np.testing.assert_allclose(result.frames[odd], expected, atol=1 / 255)  # pixels are cut off to whole ones
    assert result.value == pytest.approx(result.frames[odd].mean(), abs=1e-12)
    assert result.weight == 1


def test_every_published_tensor_has_its_place(cache: Path) -> None:
    held, published = AmtS.load().state_dict(), torch.load(AMT_S.path, weights_only=False)["state_dict"]
    assert len(held) == len(published) == len(amt_shapes()) == 213
    renamed = {"feat_encoder.layer2.0.conv3.bias": "feat_encoder.layer2.0.convnormrelu3.0.bias"}
    for name, value in published.items():
        if not name.startswith("feat_encoder.") or name in renamed:
            assert torch.equal(held[renamed.get(name, name)], value)


def test_a_file_of_numpy_1_is_read(cache: Path) -> None:
    """Its optimiser's numbers name numpy's module as it was called when AMT was published."""
    bias = AmtS.load().comb_block[2].bias
    with zipfile.ZipFile(AMT_S.path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    pickle = next(name for name in members if name.endswith("data.pkl"))
    assert members[pickle].count(b"numpy._core.multiarray\nscalar") == 1
    members[pickle] = members[pickle].replace(b"numpy._core.multiarray\nscalar", b"numpy.core.multiarray\nscalar")
    with zipfile.ZipFile(AMT_S.path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    assert torch.equal(AmtS.load().comb_block[2].bias, bias)


def test_the_score_of_a_block_is_the_score_of_the_film(model: AmtS) -> None:
    frames = moving_frames(7, HEIGHT, WIDTH)
    whole, single, uneven = (score(model, frames, block) for block in (7, 1, 3))
    np.testing.assert_array_equal(whole.frames, single.frames)
    np.testing.assert_array_equal(whole.frames, uneven.frames)
    assert 0.5 < whole.value < 0.99


def test_a_part_scores_as_if_it_were_the_video(model: AmtS) -> None:
    frames = moving_frames(9, HEIGHT, WIDTH)
    whole = score(model, frames)
    assert whole.value == whole.of(0, 9)
    for start, stop in ((0, 3), (0, 6), (0, 7), (2, 7), (4, 9)):
        assert whole.of(start, stop) == pytest.approx(score(model, frames[start:stop]).value, abs=1e-12)
    assert whole.of(3, 8) == pytest.approx(whole.frames[5], abs=1e-12)  # 3 and 7 have no neighbour on one side
    assert np.isnan(whole.of(0, 2))


def test_the_middle_is_the_same_for_pairs_in_a_batch(model: AmtS) -> None:
    frames = torch.tensor(moving_frames(4, 128, 144)).permute(0, 3, 1, 2) / 255
    with torch.inference_mode():
        together = model(frames[:2], frames[2:])
        alone = torch.cat([model(frames[i : i + 1], frames[i + 2 : i + 3]) for i in range(2)])
    assert together.std() > 0.05
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-4)


def test_short_and_small_videos_are_refused() -> None:
    network = averaging_network()
    with pytest.raises(ValueError, match="received 2 frames, expected three or more"):
        score(network, moving_frames(2, HEIGHT, WIDTH))
    with pytest.raises(ValueError, match="expected at least 113"):
        score(network, moving_frames(3, 200, 112))
    dimension = MotionSmoothness(network)
    dimension.begin(VideoInfo("film.mp4", 16, 5, HEIGHT, WIDTH))
    dimension.feed(moving_frames(3, HEIGHT, WIDTH))
    with pytest.raises(ValueError, match="received 3 frames, expected 5"):
        dimension.end()
