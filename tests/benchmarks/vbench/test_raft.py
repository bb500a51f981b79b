from pathlib import Path

import pytest
import torch
from torch.nn import functional

from benchmarks.vbench.files import RAFT_THINGS
from benchmarks.vbench.raft import ITERATIONS, Raft, check_size, padding
from tests.benchmarks.vbench.vbench_motion_weights import raft_shapes, write_raft
from tests.benchmarks.vbench.vbench_videos import moving_frames


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(tmp_path))
    write_raft(tmp_path)
    return tmp_path


def test_the_flow_is_that_of_torchvisions_own_pass_over_the_pair(cache: Path) -> None:
    raft = Raft.load()
    first, second = torch.tensor(moving_frames(2, 128, 136)).permute(0, 3, 1, 2).float().split(1)
    with torch.inference_mode():
        expected = raft.network(first / 127.5 - 1, second / 127.5 - 1, num_flow_updates=ITERATIONS)[-1]
        flow = raft(first, raft.features(first), raft.features(second))
    assert flow.shape == (1, 2, 128, 136)
    assert expected.abs().max() > 1
    torch.testing.assert_close(flow, expected, rtol=1e-4, atol=1e-4)


def test_every_published_tensor_has_its_place(cache: Path) -> None:
    held = Raft.load().network.state_dict()
    published = RAFT_THINGS.read()
    assert len(published) == len(raft_shapes()) == 179
    for theirs, ours in {
        "module.fnet.conv1.weight": "feature_encoder.convnormrelu.0.weight",
        "module.cnet.layer2.0.norm2.running_var": "context_encoder.layer2.0.convnormrelu2.1.running_var",
        "module.cnet.layer3.0.downsample.1.bias": "context_encoder.layer3.0.downsample.1.bias",
        "module.update_block.encoder.convc2.bias": "update_block.motion_encoder.convcorr2.0.bias",
        "module.update_block.gru.convq1.weight": "update_block.recurrent_block.convgru1.convq.weight",
        "module.update_block.mask.2.bias": "mask_predictor.conv.bias",
    }.items():
        assert torch.equal(published[theirs], held[ours])


def test_another_file_is_refused(cache: Path) -> None:
    tensors = torch.load(RAFT_THINGS.path)
    del tensors["module.update_block.gru.convz2.bias"]
    torch.save(tensors, RAFT_THINGS.path)
    with pytest.raises(ValueError, match=r"no update_block\.recurrent_block\.convgru2\.convz\.bias"):
        Raft.load()


@pytest.mark.parametrize(
    ("height", "width", "multiple", "expected"),
    [(128, 136, 8, (0, 0, 0, 0)), (131, 142, 8, (1, 1, 2, 3)), (135, 129, 16, (7, 8, 4, 5))],
)
def test_padding_reaches_the_next_multiple_and_centres_the_image(
    height: int, width: int, multiple: int, expected: tuple[int, int, int, int]
) -> None:
    assert padding(height, width, multiple) == expected
    padded = functional.pad(torch.zeros(1, 1, height, width), expected, mode="replicate")
    assert all(side % multiple == 0 for side in padded.shape[-2:])


def test_sizes_below_128_pixels_after_padding_are_refused() -> None:
    check_size("RAFT", 121, 500, 8)
    check_size("AMT", 113, 500, 16)
    with pytest.raises(ValueError, match=r"500 x 120 pixels, expected at least 121"):
        check_size("RAFT", 120, 500, 8)
    with pytest.raises(ValueError, match=r"112 x 500 pixels, expected at least 113"):
        check_size("AMT", 500, 112, 16)
