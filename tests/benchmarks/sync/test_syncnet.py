"""SyncNet: the published tensors, and what both networks see."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks.sync.files import SYNC_FILES, SYNCNET_WEIGHTS
from benchmarks.sync.syncnet import SyncEncoder, SyncNet

# Convolutions as (index, weight's shape); each batch norm follows its convolution.
SOUND = [
    (0, (64, 1, 3, 3)), (4, (192, 64, 3, 3)), (8, (384, 192, 3, 3)), (11, (256, 384, 3, 3)), (14, (256, 256, 3, 3)),
    (18, (512, 256, 5, 4)),
]  # fmt: skip
LIPS = [
    (0, (96, 3, 5, 7, 7)), (4, (256, 96, 1, 5, 5)), (8, (256, 256, 1, 3, 3)), (11, (256, 256, 1, 3, 3)),
    (14, (256, 256, 1, 3, 3)), (18, (512, 256, 1, 6, 6)),
]  # fmt: skip
HEAD = [(0, (512, 512))]
NORM = ("weight", "bias", "running_mean", "running_var")


@pytest.fixture
def published_weights(sync_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_WEIGHTS", str(sync_weights))


@pytest.fixture
def weights(sync_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy that a test may change."""
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    shutil.copytree(sync_weights, tmp_path, dirs_exist_ok=True)
    return tmp_path


def published() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    for part, layers in (("netcnnaud", SOUND), ("netfcaud", HEAD), ("netfclip", HEAD), ("netcnnlip", LIPS)):
        for index, shape in layers:
            shapes |= {f"{part}.{index}.weight": shape, f"{part}.{index}.bias": shape[:1]}
            shapes |= {f"{part}.{index + 1}.{kind}": shape[:1] for kind in NORM}
    for part in ("netfcaud", "netfclip"):
        shapes |= {f"{part}.3.weight": (1024, 512), f"{part}.3.bias": (1024,)}
    return shapes


def test_the_tensors_are_the_published_ones() -> None:
    held = {name: tuple(value.shape) for name, value in SyncNet().state_dict().items() if "num_batches" not in name}
    assert held == published()
    # Of 4 bytes each: 54.56 MB, and so large is syncnet_v2.model.
    assert sum(torch.Size(shape).numel() for shape in held.values()) == 13_640_256


@pytest.mark.usefixtures("published_weights")
def test_windows_share_one_pass() -> None:
    """Features of neighbouring windows are those of each window of five frames alone, in BGR."""
    model = SyncNet().eval()
    model.load_state_dict(torch.load(SYNCNET_WEIGHTS.path), strict=False)
    crops = np.random.default_rng(0).integers(0, 256, (8, 224, 224, 3), dtype=np.uint8)
    bgr = torch.tensor(crops[..., [2, 1, 0]]).float().permute(3, 0, 1, 2)
    with torch.inference_mode():
        alone = [model.netfclip(model.netcnnlip(bgr[None, :, t : t + 5]).flatten(1)) for t in range(4)]
    found = SyncEncoder.load().look(crops)
    assert found.shape == (4, 1024)
    torch.testing.assert_close(found, torch.cat(alone), rtol=1e-4, atol=1e-5)
    assert (found[0] - found[1]).abs().max() > 1e-3


@pytest.mark.usefixtures("published_weights")
def test_sound_gives_features_window_by_window() -> None:
    encoder = SyncEncoder.load()
    windows = np.random.default_rng(0).normal(size=(3, 13, 20))
    found = encoder.listen(windows)
    assert found.shape == (3, 1024)
    torch.testing.assert_close(encoder.listen(windows[1:2]), found[1:2], rtol=1e-4, atol=1e-5)


def test_counters_may_be_in_the_file(weights: Path) -> None:
    """The published file is older than they are; one that was saved again has them."""
    tensors = SyncNet().state_dict()
    torch.save(tensors, SYNCNET_WEIGHTS.path)
    SyncEncoder.load()
    del tensors["netcnnlip.5.running_var"]
    torch.save(tensors, SYNCNET_WEIGHTS.path)
    with pytest.raises(
        ValueError, match=r"received 1 tensors amiss \(no netcnnlip\.5\.running_var\), expected the published"
    ):
        SyncEncoder.load()


def test_the_old_form_of_file_is_read(weights: Path) -> None:
    """As torch wrote files when the published one was made."""
    tensors = torch.load(SYNCNET_WEIGHTS.path)
    torch.save(tensors, SYNCNET_WEIGHTS.path, _use_new_zipfile_serialization=False)
    SyncEncoder.load()


def test_files_are_sought_below_harness_weights(weights: Path) -> None:
    assert [file.path for file in SYNC_FILES] == [
        weights / "sync" / "sfd_face.pth",
        weights / "sync" / "syncnet_v2.model",
    ]
    SYNCNET_WEIGHTS.path.unlink()
    with pytest.raises(ValueError, match=r"syncnet_v2\.model: received no file .*licence MIT"):
        SyncEncoder.load()
