"""Published files of the pose encoder, in their layout: what is read of them, and what is refused by name."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from svi.backbones.adapters import fill
from svi.conditions.pose import PoseAdapter
from svi.conditions.unianimate import load, read
from svi.lora import files
from tests.svi.conditions.listeners import CHANNELS, wan

torch.set_num_threads(1)


def pose_tensors(prefix: str = "") -> dict[str, Tensor]:
    """`dwpose_embedding` as UniAnimate-DiT's code builds it, at a small model's channels, random."""
    torch.manual_seed(0)
    tensors = {}
    for i in range(7):
        size = {0: (16, 3, 3, 3, 3), 6: (CHANNELS, 16, 1, 2, 2)}.get(i, (16, 16, 3, 3, 3))
        tensors[f"{prefix}dwpose_embedding.{2 * i}.weight"] = torch.randn(size)
        tensors[f"{prefix}dwpose_embedding.{2 * i}.bias"] = torch.randn(size[0])
    return tensors


def reference_tensors() -> dict[str, Tensor]:
    """`randomref_embedding_pose`: six 2D convolutions."""
    sides = [(16, 3), *[(16, 16)] * 4, (20, 16)]
    weights = {f"randomref_embedding_pose.{2 * i}.weight": torch.randn(*side, 3, 3) for i, side in enumerate(sides)}
    return weights | {f"randomref_embedding_pose.{2 * i}.bias": torch.randn(side[0]) for i, side in enumerate(sides)}


def lora_tensors() -> dict[str, Tensor]:
    modules = [f"{attention}.{name}" for attention in ("self_attn", "cross_attn") for name in "qkvo"] + [
        "ffn.0",
        "ffn.2",
    ]
    return {
        f"pipe.dit.blocks.0.{module}.lora_{half}.default.weight": torch.randn(*size)
        for module in modules
        for half, size in (("A", (2, CHANNELS)), ("B", (CHANNELS, 2)))
    }


def unianimate(folder: Path) -> Path:
    file = folder / "UniAnimate-Wan2.1-14B-Lora-12000.ckpt"
    torch.save(pose_tensors() | reference_tensors() | lora_tensors(), file)
    return file


def posed() -> Any:
    """A transformer with an untrained pose encoder."""
    transformer = wan()
    PoseAdapter(CHANNELS, 4, 16).attach(transformer)
    return transformer


def encoder(transformer: Any) -> dict[str, Tensor]:
    return {key: tensor.clone() for key, tensor in transformer.pose.encoder.state_dict().items()}


def test_the_checkpoint_becomes_the_adapters_weights(tmp_path: Path) -> None:
    transformer = posed()
    load(transformer, unianimate(tmp_path))
    found = encoder(transformer)
    assert len(found) == 14
    assert all(torch.equal(tensor, pose_tensors()[f"dwpose_embedding.{key}"]) for key, tensor in found.items())


def test_unianimates_lora_and_encoder_lie_in_one_file(tmp_path: Path) -> None:
    weights = files.read(unianimate(tmp_path))
    assert weights.rank == 2
    assert weights.extra.keys() == pose_tensors().keys() | reference_tensors().keys()
    transformer = posed()
    unused = fill(transformer, weights.extra, "the file")
    assert set(unused) == reference_tensors().keys()
    assert torch.equal(transformer.pose.encoder[12].bias, pose_tensors()["dwpose_embedding.12.bias"])


def test_svi_dances_file_and_what_stands_before_its_keys(tmp_path: Path) -> None:
    file = tmp_path / "svi-dance.safetensors"
    save_file({key: tensor + 1 for key, tensor in pose_tensors("pipe.").items()} | lora_tensors(), file)
    transformer = posed()
    load(transformer, file)
    assert torch.equal(transformer.pose.encoder[12].bias, pose_tensors()["dwpose_embedding.12.bias"] + 1)


def test_keys_that_do_not_fit_are_named_and_nothing_changes(tmp_path: Path) -> None:
    transformer, file = posed(), tmp_path / "a.safetensors"
    before, tensors = encoder(transformer), pose_tensors()
    cases: list[tuple[dict[str, Tensor], str]] = [
        ({k: v for k, v in tensors.items() if "6.weight" not in k}, r"missing are dwpose_embedding.6.weight$"),
        (tensors | {"dwpose_embedding.14.bias": torch.zeros(1)}, "unexpected keys .*: dwpose_embedding.14.bias"),
        (
            tensors | {"dwpose_embedding.12.weight": torch.zeros(5120, 16, 1, 2, 2)},
            r"another transformer: dwpose_embedding.12.weight \[5120, 16, 1, 2, 2\] \(expected \[24, 16, 1, 2, 2\]\)",
        ),
    ]
    for given, said in cases:
        save_file(given, file)
        with pytest.raises(ValueError, match=said):
            load(transformer, file)
    assert all(torch.equal(tensor, before[key]) for key, tensor in encoder(transformer).items())


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.safetensors"
    save_file(lora_tensors(), file)
    with pytest.raises(ValueError, match="holds no pose encoder: none of its 20 keys"):
        read(file)
    save_file(pose_tensors() | {"inpaint_embedding.0.weight": torch.zeros(1)}, file)
    with pytest.raises(ValueError, match=r"unexpected keys, which would be lost: inpaint_embedding.0.weight"):
        read(file)
    file.write_bytes(b"no such thing")
    with pytest.raises(ValueError, match=r"a.safetensors: received .*download it again"):
        read(file)
    torch.save([1, 2], tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="received a list"):
        read(tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=r"none.ckpt: received FileNotFoundError"):
        read(tmp_path / "none.ckpt")


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path) -> None:
    torch.save(pose_tensors() | {"dwpose_embedding.0.bias": _Trap(tmp_path / "ran")}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="was not run"):
        read(tmp_path / "a.ckpt")
    assert not (tmp_path / "ran").exists()


class _Trap:
    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)
