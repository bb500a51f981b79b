"""Weight files: where they are sought, what a missing or wrong one is told, and their hash."""

import hashlib
import os
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.vbench.aesthetic import AestheticQuality
from benchmarks.vbench.background import BackgroundConsistency
from benchmarks.vbench.files import DINO_WEIGHTS, LAION_LINEAR, MUSIQ_SPAQ, VIT_B_32, VIT_L_14
from benchmarks.vbench.imaging import ImagingQuality
from benchmarks.vbench.subject import SubjectConsistency
from benchmarks.weights import WeightFile
from tests.benchmarks.vbench.vbench_weights import write_clip_b

FILE = WeightFile("some_model", "some.pth", "MIT", "https://example.org/some.pth")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """VBench's cache and torch's home, both empty."""
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "cache"


@pytest.mark.parametrize(
    ("file", "path"),
    [
        (DINO_WEIGHTS, "torch/hub/checkpoints/dino_vitbase16_pretrain.pth"),
        (VIT_B_32, "cache/clip_model/ViT-B-32.pt"),
        (VIT_L_14, "cache/clip_model/ViT-L-14.pt"),
        (LAION_LINEAR, "cache/aesthetic_model/emb_reader/sa_0_4_vit_l_14_linear.pth"),
        (MUSIQ_SPAQ, "cache/pyiqa_model/musiq_spaq_ckpt-358bb6af.pth"),
    ],
)
def test_files_are_sought_where_vbench_keeps_them(cache: Path, file: WeightFile, path: str) -> None:
    assert file.path == cache.parent / path


def test_without_the_variables_they_are_sought_in_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("VBENCH_CACHE_DIR", "TORCH_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(variable, raising=False)
    assert VIT_B_32.path == Path.home() / ".cache/vbench/clip_model/ViT-B-32.pt"
    assert DINO_WEIGHTS.path == Path(torch.hub.get_dir(), "checkpoints", DINO_WEIGHTS.name)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert DINO_WEIGHTS.path == Path(torch.hub.get_dir(), "checkpoints", DINO_WEIGHTS.name)


def test_files_of_no_other_tool_are_sought_in_the_harness_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = WeightFile("sync", "some.pth", "MIT", "https://example.org/some.pth", root="harness")
    monkeypatch.setenv("HARNESS_WEIGHTS", str(tmp_path))
    assert file.path == tmp_path / "sync" / "some.pth"
    with pytest.raises(ValueError, match="the folder follows HARNESS_WEIGHTS"):
        file.find()
    monkeypatch.delenv("HARNESS_WEIGHTS")
    assert file.path == Path.home() / ".cache/svi-harness/weights/sync/some.pth"


@pytest.mark.parametrize(
    ("dimension", "file"),
    [
        (SubjectConsistency, DINO_WEIGHTS),
        (BackgroundConsistency, VIT_B_32),
        (AestheticQuality, LAION_LINEAR),
        (ImagingQuality, MUSIQ_SPAQ),
    ],
)
def test_a_missing_file_is_named_with_its_place_licence_and_source(
    cache: Path, dimension: type[SubjectConsistency], file: WeightFile
) -> None:
    assert file in dimension.files
    with pytest.raises(ValueError, match="received no file") as refusal:
        dimension.load()
    for part in (file.name, str(file.path), file.licence, file.where_to_get):
        assert part in str(refusal.value)


def test_a_damaged_file_is_refused(cache: Path) -> None:
    for file in (VIT_B_32, MUSIQ_SPAQ):
        file.path.parent.mkdir(parents=True)
        file.path.write_bytes(b"cut off")
    for dimension in (BackgroundConsistency, ImagingQuality):
        with pytest.raises(ValueError, match="received an unreadable file"):
            dimension.load()


def test_another_model_is_refused_by_its_tensors(cache: Path) -> None:
    MUSIQ_SPAQ.path.parent.mkdir(parents=True)
    torch.save(nn.Linear(2, 2).state_dict(), MUSIQ_SPAQ.path)
    with pytest.raises(ValueError, match=r"no conv_root\.weight, .*expected the published musiq"):
        ImagingQuality.load()
    write_clip_b(cache, width=64, layers=1)
    VIT_L_14.path.write_bytes(VIT_B_32.path.read_bytes())
    LAION_LINEAR.path.parent.mkdir(parents=True)
    torch.save({"weight": torch.zeros(1, 512), "bias": torch.zeros(1)}, LAION_LINEAR.path)
    with pytest.raises(ValueError, match=r"weight \(1, 512\) for \(1, 768\)"):
        AestheticQuality.load()


def test_a_state_dict_may_be_wrapped(cache: Path) -> None:
    FILE.path.parent.mkdir(parents=True)
    torch.save({"state_dict": {"a": torch.ones(2)}}, FILE.path)
    assert FILE.read()["a"].tolist() == [1, 1]
    torch.save({"a": 1}, FILE.path)
    with pytest.raises(ValueError, match=r"received dict, expected the published some\.pth"):
        FILE.read()


def test_the_hash_follows_the_file(cache: Path) -> None:
    FILE.path.parent.mkdir(parents=True)
    FILE.path.write_bytes(b"one")
    assert FILE.sha256() == hashlib.sha256(b"one").hexdigest()
    FILE.path.write_bytes(b"two")
    os.utime(FILE.path, ns=(1, 1))
    assert FILE.sha256() == hashlib.sha256(b"two").hexdigest()
