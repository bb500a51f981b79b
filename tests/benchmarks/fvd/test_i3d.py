"""I3D at full size: the published names, cd-fvd's logits for the same weights, and what it is given to see.

The figures come from cd-fvd 0.1.1 (torch 2.15, CPU): its InceptionI3d with `i3d_tensors()`, its preprocess_i3d and its
loader's preprocess on the same seeded frames.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from benchmarks.fvd.distance import Resize
from benchmarks.fvd.extractor import Extractor
from benchmarks.fvd.files import FVD_FILES, I3D_TORCHSCRIPT, I3D_WEIGHTS
from benchmarks.fvd.i3d import I3d
from tests.benchmarks.fvd.fvd_weights import SmallNetwork, write_i3d, write_torchscript

PUBLISHED_NAMES = "a512c6be0fc23a3e639f0be8404de9cbf89d61b226a33f9edc1d780dde5d5b0d"
LOGITS = {0: 2.1542294, 1: 4.73813343, 2: 4.98635006, 399: -5.13078356}


@pytest.fixture(scope="module")
def tensors(i3d_weights: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(i3d_weights / I3D_WEIGHTS.path_under / I3D_WEIGHTS.name)
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    return tmp_path


def small(resize: Resize = "stretch") -> Extractor:
    return Extractor(SmallNetwork(), "small", "0" * 64, resize)


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def seen(extractor: Extractor, frames: np.ndarray) -> Tensor:
    """[T, H, W, 3] -> the one clip [1, 3, T, 224, 224]."""
    return extractor.images(frames).transpose(0, 1)[None]


def test_the_tensors_have_the_published_names_and_shapes() -> None:
    """Those of the network that cd-fvd loads i3d_pretrained_400.pt into, every name of which must be in the file."""
    shapes = {name: list(value.shape) for name, value in I3d().state_dict().items()}
    assert len(shapes) == 344
    assert shapes["Conv3d_1a_7x7.conv3d.weight"] == [64, 3, 7, 7, 7]
    assert shapes["Mixed_3b.b1b.bn.running_mean"] == [128]
    assert shapes["Mixed_5c.b3b.conv3d.weight"] == [128, 832, 1, 1, 1]
    assert shapes["logits.conv3d.bias"] == [400]
    assert hashlib.sha256(json.dumps(shapes, sort_keys=True).encode()).hexdigest() == PUBLISHED_NAMES


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_the_logits_are_cd_fvds_with_either_file(folder: Path, tensors: dict[str, Tensor]) -> None:
    path = write_i3d(folder, tensors)
    extractor = Extractor.load()
    clip = seen(extractor, noise(1, 16, 120, 200, 3))
    logits = extractor.logits(clip)
    assert (logits.shape, logits.dtype) == ((1, 400), np.float64)
    assert [logits[0, index] for index in LOGITS] == pytest.approx(list(LOGITS.values()), abs=2e-3)
    assert (logits.mean(), logits.std()) == pytest.approx((-0.10955181, 6.03097643), abs=1e-3)
    assert extractor.name == "i3d_pretrained_400.pt"
    assert extractor.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()

    network = I3d.load()
    path.unlink()
    path = write_torchscript(folder, network)
    scripted = Extractor.load()
    np.testing.assert_allclose(scripted.logits(clip), logits, atol=1e-3)
    assert scripted.name == "i3d_torchscript.pt"
    assert scripted.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_files_without_counters_or_in_a_wrapper_are_read(folder: Path, tensors: dict[str, Tensor]) -> None:
    write_i3d(folder, {name: value for name, value in tensors.items() if "num_batches" not in name})
    held = I3d.load().state_dict()
    assert all(torch.equal(held[name], value) for name, value in tensors.items())


def test_a_missing_or_another_file_is_refused(folder: Path, tensors: dict[str, Tensor]) -> None:
    with pytest.raises(ValueError, match="received no file") as refusal:
        Extractor.load()
    for part in (str(I3D_WEIGHTS.path), "HARNESS_WEIGHTS", "Apache-2.0", *(file.name for file in FVD_FILES)):
        assert part in str(refusal.value)
    with pytest.raises(ValueError, match=r"i3d_torchscript\.pt: received no file"):
        Extractor.load(I3D_TORCHSCRIPT)
    write_i3d(folder, {**tensors, "logits.conv3d.bias": torch.zeros(600)})
    with pytest.raises(ValueError, match=r"logits\.conv3d\.bias \(600,\) for \(400,\)"):
        Extractor.load()
    I3D_TORCHSCRIPT.path.write_bytes(b"cut off")
    with pytest.raises(ValueError, match=r"i3d_torchscript\.pt: received an unreadable file"):
        Extractor.load(I3D_TORCHSCRIPT)


def test_stretching_is_cd_fvds() -> None:
    images = seen(small(), noise(2, 2, 300, 520, 3))[0]
    assert images.shape == (3, 2, 224, 224)
    assert images[:, 0, 0, 0].tolist() == pytest.approx([0.400516391, -0.343629956, -0.576099157], abs=1e-6)
    assert images[:, 1, 100, 223].tolist() == pytest.approx([0.125516534, -0.381831229, 0.002891660], abs=1e-6)


def test_crop256_is_what_cd_fvd_makes_of_files() -> None:
    images = seen(small("crop256"), noise(2, 2, 300, 520, 3))[0]
    assert images[:, 0, 0, 0].tolist() == pytest.approx([0.307683110, -0.357182860, 0.303281426], abs=1e-6)
    assert images[:, 1, 100, 223].tolist() == pytest.approx([0.078113675, -0.084876418, 0.191994548], abs=1e-6)
    assert images.double().mean() == pytest.approx(-0.004350105, abs=1e-6)


def test_stretching_half_and_cropping_take_the_means_of_four_pixels() -> None:
    """At half the size, with half-pixel centres and without antialiasing."""
    frames = noise(3, 2, 448, 600, 3)
    means = frames.reshape(2, 224, 2, 300, 2, 3).mean(axis=(2, 4)) / 127.5 - 1
    cropped = small("crop").images(frames).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(cropped, means[:, :, 38:262], atol=1e-6)
    upright = small("crop").images(frames.swapaxes(1, 2)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(upright, means[:, :, 38:262].swapaxes(1, 2), atol=1e-6)
    square = small().images(frames[:, :, :448]).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(square, means[:, :, :224], atol=1e-6)


@pytest.mark.parametrize("resize", ["stretch", "crop"])
def test_frames_of_the_right_size_are_only_scaled(resize: Resize) -> None:
    frames = noise(4, 1, 224, 224, 3)
    np.testing.assert_allclose(small(resize).images(frames)[0].permute(1, 2, 0), frames[0] / 127.5 - 1, atol=1e-6)


def test_other_rules_clips_and_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="received 'bicubic', expected one of stretch, crop, crop256"):
        small("bicubic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"received \(1, 3, 15, 224, 224\), expected \[B, 3, 16, 224, 224\]"):
        small().logits(torch.zeros(1, 3, 15, 224, 224))
    network = nn.Sequential(nn.AvgPool3d((16, 224, 224)), nn.Flatten())
    with pytest.raises(ValueError, match=r"another\.pt: received an output of \(2, 3\) for 2 clips"):
        Extractor(network, "another.pt", "").logits(torch.zeros(2, 3, 16, 224, 224))
