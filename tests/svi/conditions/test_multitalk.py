"""MultiTalk's published file, in its layout: what it becomes, and what is refused by name."""

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file
from torch import Tensor

from svi.backbones.adapters import added
from svi.backbones.wrapped import LORA_TARGETS
from svi.conditions.audio import key_map
from svi.conditions.multitalk import load_multitalk
from tests.svi.conditions.listeners import (
    BLOCKS,
    CHANNELS,
    HIDDEN,
    LAYERS,
    STATES,
    TOKENS,
    WIDTH,
    attached,
    run,
    speech,
    wan,
    written_out,
)

torch.set_num_threads(1)


def published() -> dict[str, Tensor]:
    """Its keys, at a small model's sizes, random; the norms of blocks in bfloat16, the rest in float32."""
    torch.manual_seed(5)
    linear = {
        "audio_proj.proj1": (HIDDEN, 5 * LAYERS * STATES),
        "audio_proj.proj1_vf": (HIDDEN, 8 * LAYERS * STATES),
        "audio_proj.proj2": (HIDDEN, HIDDEN),
        "audio_proj.proj3": (TOKENS * WIDTH, HIDDEN),
    }
    for i in range(BLOCKS):
        linear[f"blocks.{i}.audio_cross_attn.q_linear"] = (CHANNELS, CHANNELS)
        linear[f"blocks.{i}.audio_cross_attn.kv_linear"] = (2 * CHANNELS, WIDTH)
        linear[f"blocks.{i}.audio_cross_attn.proj"] = (CHANNELS, CHANNELS)
    tensors = {f"{name}.weight": torch.randn(size) / size[1] ** 0.5 for name, size in linear.items()}
    tensors |= {f"{name}.bias": torch.randn(size[0]) for name, size in linear.items()}
    tensors |= {"audio_proj.norm.weight": torch.randn(WIDTH), "audio_proj.norm.bias": torch.randn(WIDTH)}
    for i in range(BLOCKS):
        for kind in ("weight", "bias"):
            tensors[f"blocks.{i}.norm_x.{kind}"] = torch.randn(CHANNELS).bfloat16()
    return tensors


def test_the_published_file_has_330_tensors() -> None:
    """Their sizes make up its 9,947,889,040 bytes, with the norms of blocks in bfloat16: nothing of Wan is in it."""
    assert len(key_map(40)) == 330
    assert key_map(2).keys() == published().keys()
    projection = 512 * (46080 + 73728 + 512 + 3) + 24576 * 513 + 2 * 768
    block = 5120 * (5120 + 1) * 2 + 10240 * (768 + 1)
    header = 9_947_889_040 - 4 * (projection + 40 * block) - 2 * 40 * 2 * 5120
    assert 330 * 80 < header < 330 * 150


def test_the_file_becomes_multitalk(tmp_path: Path) -> None:
    save_file(published(), tmp_path / "multitalk.safetensors")
    adapted = wan()
    attached(adapted)
    load_multitalk(adapted, tmp_path / "multitalk.safetensors")
    weights = {key: tensor.float() for key, tensor in published().items()}
    assert added(adapted).keys() == weights.keys()
    assert all(torch.equal(tensor, weights[key]) for key, tensor in added(adapted).items())
    plain = written_out(wan(), weights, speech(), 4)
    torch.testing.assert_close(run(adapted, speech()), run(plain, None), rtol=1e-4, atol=1e-4)


def test_what_is_saved_is_loaded_under_a_lora_too(tmp_path: Path) -> None:
    adapted, other = wan(), wan()
    attached(adapted)
    attached(other)
    save_file(published(), tmp_path / "multitalk.safetensors")
    load_multitalk(adapted, tmp_path / "multitalk.safetensors")
    save_file(dict(added(adapted)), tmp_path / "mine.safetensors")
    peft = get_peft_model(other.bfloat16(), LoraConfig(r=2, target_modules=list(LORA_TARGETS)))
    load_multitalk(peft, tmp_path / "mine.safetensors")
    assert all(torch.equal(tensor, published()[key].bfloat16()) for key, tensor in added(peft).items())


def test_keys_that_do_not_fit_are_named_and_nothing_changes(tmp_path: Path) -> None:
    file, tensors = tmp_path / "a.safetensors", published()
    adapted = wan()
    attached(adapted)
    before = added(adapted)
    before = {key: tensor.clone() for key, tensor in before.items()}
    whole = {f"blocks.{i}.self_attn.{name}.weight": torch.zeros(2, 2) for i in range(BLOCKS) for name in "qkvo"}
    cases: list[tuple[dict[str, Tensor], str]] = [
        (
            {k: v for k, v in tensors.items() if "norm_x" not in k},
            r"lacks blocks\.0\.norm_x\.weight, .*expected the 26 tensors",
        ),
        ({k: v for k, v in tensors.items() if "blocks" not in k}, r"lacks .*, \.\.\. \(16 in all\);"),
        (tensors | {"audio_proj.proj4.bias": torch.zeros(1)}, r"has unexpected audio_proj\.proj4\.bias; .*alone$"),
        (tensors | whole, r"unexpected .*self_attn.*; .*Wan's own weights belong into the model's folder$"),
        (
            tensors | {"blocks.1.audio_cross_attn.proj.bias": torch.zeros(5120)},
            r"of another shape blocks\.1\.audio_cross_attn\.proj\.bias \[5120\], not \[24\]",
        ),
    ]
    for given, said in cases:
        save_file(given, file)
        with pytest.raises(ValueError, match=said):
            load_multitalk(adapted, file)
    assert all(torch.equal(tensor, before[key]) for key, tensor in added(adapted).items())


def test_what_is_no_file_of_weights_is_refused(tmp_path: Path) -> None:
    adapted = wan()
    attached(adapted)
    with pytest.raises(ValueError, match=r"none\.safetensors is no safetensors file"):
        load_multitalk(adapted, tmp_path / "none.safetensors")
    (tmp_path / "a.safetensors").write_bytes(b"no such thing")
    with pytest.raises(ValueError, match=r"is damaged .*download it again"):
        load_multitalk(adapted, tmp_path / "a.safetensors")
