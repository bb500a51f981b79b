"""LoRA on real Wan transformers: what is trained, that every file computes the same, and what does not fit."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import WanImageToVideoPipeline, WanTransformer3DModel
from peft import PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from svi.lora import adapter as lora
from svi.lora import files as lora_files
from svi.lora.checkpoints import from_checkpoint
from svi.lora.files import LoraWeights
from svi.lora.keys import Format
from svi.lora.stack import Lora
from svi.settings import TrainSettings
from svi.training import ranks
from tests.svi.lora import lora_run
from tests.svi.lora.lora_run import TARGETS, output, tiny_transformer
from tests.svi.wan_folder import WanFolder

SCRIPT = Path(__file__).with_name("lora_run.py")
OURS = (
    *(f"attn{n}.{name}" for n in (1, 2) for name in ("to_q", "to_k", "to_v", "to_out.0")),
    "ffn.net.0.proj",
    "ffn.net.2",
)


@pytest.fixture(scope="module")
def wan(wan_folder: WanFolder) -> Path:
    """Wan 2.1: CLIP feature, further projections of the image in cross-attention."""
    return wan_folder("wan2.1-i2v")


def backbone(folder: Path, experts: tuple[str, ...] = ("transformer",), dtype: torch.dtype | None = None) -> Any:
    transformers = {e: WanTransformer3DModel.from_pretrained(folder / e, torch_dtype=dtype) for e in experts}
    return SimpleNamespace(transformers=transformers, lora_targets=TARGETS)


def trained(backbone: Any, alpha: int = 4, seed: int = 0, expert: str = "transformer") -> nn.Module:
    """A LoRA of rank 4 whose B is not zero."""
    model = lora.adapted(backbone, TrainSettings(rank=4, alpha=alpha, seed=seed), expert).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model


def lora_names(model: nn.Module) -> Iterator[str]:
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            yield name.removeprefix("base_model.model.").removesuffix(".default.weight")


def test_exactly_the_ten_modules_of_every_block_are_trained(wan: Path) -> None:
    """Not the image projections, not the embedders, though their layers have the same names."""
    names = set(lora_names(lora.adapted(backbone(wan), TrainSettings(rank=4, alpha=4))))
    assert names == {f"blocks.{i}.{module}.lora_{half}" for i in range(2) for module in OURS for half in "AB"}


def test_on_a_bfloat16_transformer_the_lora_is_trained_in_float32_and_used_in_bfloat16(wan: Path) -> None:
    base = backbone(wan, dtype=torch.bfloat16)
    model = trained(base)
    assert {p.dtype for name, p in model.named_parameters() if ".lora_" in name} == {torch.float32}
    assert base.transformers["transformer"].blocks[0].attn1.to_q.base_layer.weight.dtype == torch.bfloat16
    weights = lora.weights_of(model)
    assert weights is not None
    again = lora.attach(backbone(wan, dtype=torch.bfloat16).transformers["transformer"], [(weights, 1.0)])
    found = lora.weights_of(again)
    assert found is not None
    assert {p.dtype for name, p in again.named_parameters() if ".lora_" in name} == {torch.bfloat16}
    assert all(torch.equal(b.bfloat16(), found.modules[name][1]) for name, (_, b) in weights.modules.items())


def test_the_seed_decides_a(wan: Path) -> None:
    first, same, other = (dict(trained(backbone(wan), seed=seed).named_parameters()) for seed in (0, 0, 1))
    name = "base_model.model.blocks.0.attn1.to_q.lora_A.default.weight"
    assert torch.equal(first[name], same[name])
    assert not torch.equal(first[name], other[name])


@pytest.mark.parametrize("alpha", [4, 2, 3])
def test_what_train_saves_is_loaded_bit_by_bit(wan: Path, alpha: int, tmp_path: Path) -> None:
    model = trained(backbone(wan), alpha)
    lora.save(model, tmp_path)
    base, random = backbone(wan), torch.get_rng_state()
    loaded = lora.load(base, [Lora(tmp_path)])
    assert torch.equal(torch.get_rng_state(), random)
    assert not any(p.requires_grad for p in loaded.parameters())
    assert torch.equal(output(loaded), output(model))
    by_peft = PeftModel.from_pretrained(backbone(wan).transformers["transformer"], tmp_path / "lora")
    assert torch.equal(output(by_peft), output(model))


def test_only_the_writing_rank_writes(wan: Path, tmp_path: Path) -> None:
    lora.save(trained(backbone(wan)), tmp_path, write=False)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("form", ["diffusers", "comfyui", "svi1", "svi2"])
@pytest.mark.parametrize("alpha", [4, 2, 3])
def test_diffusers_computes_what_our_adapter_does(wan: Path, form: Format, alpha: int, tmp_path: Path) -> None:
    """Exactly; where alpha / rank is no power of two, it rounds once more, in B."""
    model = trained(backbone(wan), alpha)
    ours, base = output(model), output(backbone(wan).transformers["transformer"])
    lora.save(model, tmp_path)
    file = tmp_path / f"{form}.safetensors"
    lora_files.write(lora_files.read(tmp_path), file, form)
    if form in ("svi1", "svi2"):  # diffusers knows Wan's own names by ComfyUI's prefix alone
        renamed = {key.removeprefix("pipe.dit.").replace(".default", ""): t for key, t in load_file(file).items()}
        save_file({f"diffusion_model.{key}": tensor for key, tensor in renamed.items()}, file)
    pipeline = WanImageToVideoPipeline.from_pretrained(wan)
    pipeline.load_lora_weights(str(file))
    theirs = output(pipeline.transformer)
    assert (ours - base).abs().max() > 0.01
    if alpha == 3:
        torch.testing.assert_close(theirs, ours, atol=2e-6, rtol=0)
    else:
        assert torch.equal(theirs, ours)


@pytest.mark.parametrize("form", ["diffusers", "comfyui", "svi1", "svi2"])
def test_any_file_may_be_loaded(wan: Path, form: Format, tmp_path: Path) -> None:
    model = trained(backbone(wan))
    lora.save(model, tmp_path)
    lora_files.write(lora_files.read(tmp_path), tmp_path / "any.safetensors", form)
    assert torch.equal(output(lora.load(backbone(wan), [Lora(tmp_path / "any.safetensors")])), output(model))


def test_each_expert_has_its_own(tmp_path: Path, wan_folder: WanFolder) -> None:
    wan = wan_folder("wan2.2-i2v")
    both = ("transformer", "transformer_2")
    model = trained(backbone(wan, both), expert="transformer_2")
    lora.save(model, tmp_path)
    base = backbone(wan, both)
    loaded = lora.load(base, [Lora(tmp_path)], "transformer_2")
    assert loaded.get_base_model() is base.transformers["transformer_2"]  # type: ignore[operator]
    pipeline = WanImageToVideoPipeline.from_pretrained(wan)
    lora_files.write(lora_files.read(tmp_path), tmp_path / "low.safetensors", "comfyui")
    pipeline.load_lora_weights(str(tmp_path / "low.safetensors"), load_into_transformer_2=True)
    arguments = torch.randn(1, 36, 3, 4, 6), torch.tensor([500.0]), torch.randn(1, 7, 32)
    with torch.no_grad():
        found, wanted = (m(*arguments, return_dict=False)[0] for m in (loaded, pipeline.transformer_2))
    assert torch.equal(found, wanted)


def test_a_fully_trained_transformer(wan: Path, tmp_path: Path) -> None:
    base = backbone(wan)
    model = lora.adapted(base, TrainSettings(adapter="full"))
    assert all(p.requires_grad for p in model.parameters())
    with torch.no_grad():
        base.transformers["transformer"].proj_out.weight.mul_(2)
    lora.save(model, tmp_path)
    assert torch.equal(output(lora.load(backbone(wan), [Lora(tmp_path)]).eval()), output(model.eval()))


def weights(model: nn.Module) -> dict[str, Tensor]:
    """By their names in the bare transformer, with a LoRA merged into them."""
    if isinstance(model, PeftModel):
        model = model.merge_and_unload()
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("adapter", ["lora", "full"])
def test_a_share_of_what_was_trained_lies_between_base_and_all_of_it(adapter: str, wan: Path, tmp_path: Path) -> None:
    if adapter == "lora":
        lora.save(trained(backbone(wan), alpha=2), tmp_path)
    else:
        base = backbone(wan)
        with torch.no_grad():
            base.transformers["transformer"].blocks[0].attn1.to_q.weight.add_(0.1)
        lora.save(lora.adapted(base, TrainSettings(adapter="full")), tmp_path)
    start = weights(backbone(wan).transformers["transformer"])
    whole, part, none, default = (
        weights(lora.load(backbone(wan), [Lora(tmp_path, *strength)])) for strength in ((1.0,), (0.4,), (0.0,), ())
    )
    assert all(torch.equal(whole[name], default[name]) for name in start)
    assert all(torch.equal(none[name], start[name]) for name in start)
    moved = [name for name in start if not torch.equal(whole[name], start[name])]
    assert moved
    for name in start:
        torch.testing.assert_close(part[name], start[name] + 0.4 * (whole[name] - start[name]), rtol=1e-4, atol=1e-6)


def sized(layers: int, heads: int) -> LoraWeights:
    """The LoRA of a transformer of that size."""
    base: Any = SimpleNamespace(transformers={"transformer": tiny_transformer(layers, heads)}, lora_targets=TARGETS)
    weights = lora.weights_of(lora.adapted(base, TrainSettings(rank=4, alpha=4)))
    assert weights is not None
    return weights


@pytest.mark.parametrize(
    ("layers", "heads", "looks", "names"),
    [
        (3, 2, "20 of its 30 .* 3 blocks of 24 channels", r"in the LoRA but not in the model: blocks\.2\.attn1\.to_k,"),
        (1, 2, "10 of its 10 .* 1 blocks of 24 channels", r"in the model but not in the LoRA: blocks\.1\.attn1\.to_k,"),
        (
            2,
            4,
            "2 blocks of 48 channels",
            r"another size .*blocks\.0\.attn1\.to_k \(48, 48\) instead of \(24, 24\), .*\(20 in",
        ),
    ],
)
def test_a_lora_of_another_model_is_refused(layers: int, heads: int, looks: str, names: str, tmp_path: Path) -> None:
    lora_files.write(sized(layers, heads), tmp_path / "other.safetensors", "svi2")
    base: Any = SimpleNamespace(transformers={"transformer": tiny_transformer()})
    before = base.transformers["transformer"].state_dict().keys()
    with pytest.raises(ValueError, match=f"{looks}, the model is 2 blocks of 24 channels.*{names}") as refused:
        lora.load(base, [Lora(tmp_path / "other.safetensors")])
    assert "other.safetensors: the LoRA does not fit the model" in str(refused.value)
    assert base.transformers["transformer"].state_dict().keys() == before


def test_a_14b_lora_is_known_by_its_size() -> None:
    """As the authors publish it: 400 modules, 40 blocks of 5120 channels; on the meta device, since nothing is computed."""
    with torch.device("meta"):
        sizes = {"ffn.net.0.proj": (13824, 5120), "ffn.net.2": (5120, 13824)}
        modules = {
            f"blocks.{i}.{name}": (torch.empty(128, into), torch.empty(out, 128))
            for i in range(40)
            for name in OURS
            for out, into in [sizes.get(name, (5120, 5120))]
        }
    with pytest.raises(
        ValueError, match=r"20 of its 400 modules .* 40 blocks of 5120 channels \(a Wan 14B\), the model is 2"
    ):
        lora.attach(tiny_transformer(), [(LoraWeights(modules, 128, "svi1"), 1.0)])


def test_image_projections_are_left_out_of_a_model_without_any(wan: Path) -> None:
    """Wan 2.2 A14B has none: of a LoRA of Wan 2.1 that trained them, the rest is loaded, and what is not used is named."""
    base = backbone(wan)
    base.lora_targets = (*TARGETS, "add_k_proj", "add_v_proj")
    weights = lora.weights_of(trained(base))
    assert weights is not None
    assert len(weights.modules) == 24
    whole = lora.weights_of(lora.attach(backbone(wan).transformers["transformer"], [(weights, 1.0)]))
    with pytest.warns(UserWarning, match=r"no branch for the image's CLIP feature.*blocks\.0\.attn2\.add_k_proj"):
        rest = lora.weights_of(lora.attach(tiny_transformer(), [(weights, 1.0)]))
    assert whole is not None
    assert rest is not None
    assert len(whole.modules) == 24
    assert set(weights.modules) - set(rest.modules) == {
        f"blocks.{i}.attn2.add_{name}_proj" for i in range(2) for name in "kv"
    }


def test_a_second_lora_is_refused() -> None:
    transformer = tiny_transformer()
    weights = sized(2, 2)
    lora.attach(transformer, [(weights, 1.0)])
    with pytest.raises(ValueError, match="has a LoRA already"):
        lora.attach(transformer, [(weights, 1.0)])


def test_what_lies_beside_the_lora_is_named() -> None:
    weights = replace(sized(2, 2), extra={"dwpose_embedding.0.weight": torch.ones(1)})
    with pytest.warns(UserWarning, match=r"not used: dwpose_embedding\.0\.weight"):
        lora.attach(tiny_transformer(), [(weights, 1.0)])


def run(folder: Path, stage: int, dtype: str, world: int) -> None:
    """The training of lora_run.py, a process a rank."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    shared = {
        **os.environ,
        "WORLD_SIZE": str(world),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "OMP_NUM_THREADS": "1",
    }
    processes = [
        subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), str(stage), dtype],
            env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(world)
    ]
    try:
        for process in processes:
            said, _ = process.communicate(timeout=300)
            assert process.returncode == 0, said[-3000:]
    finally:
        for process in processes:
            process.kill()


def check(folder: Path) -> None:
    """The checkpoint holds the very LoRA that was saved, and it was trained."""
    saved, found = lora_files.read(folder), from_checkpoint(folder)
    assert (found.alpha, found.rank, found.metadata) == (2, 4, {"checkpoint": "step-0000003"})
    assert found.modules.keys() == saved.modules.keys()
    for name, (a, b) in saved.modules.items():
        assert torch.equal(found.modules[name][0], a)
        assert torch.equal(found.modules[name][1], b)
        assert b.abs().sum() > 0
    for checkpoint in (folder / "checkpoints", folder / "checkpoints" / "step-0000003"):
        assert torch.equal(from_checkpoint(checkpoint).modules[name][1], b)


def test_a_checkpoint_becomes_a_lora(tmp_path: Path) -> None:
    ranks.join()
    lora_run.main(tmp_path, 0, "float32")
    check(tmp_path)
    (tmp_path / "checkpoints" / "adapter_config.json").unlink()
    assert from_checkpoint(tmp_path).alpha == 4  # the rank, unless it is said
    assert from_checkpoint(tmp_path, alpha=2).alpha == 2


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no complete checkpoint; expected checkpoints/latest\.json"):
        from_checkpoint(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("stage", [2, 3])
def test_pieces_of_two_ranks_become_a_lora(stage: int, dtype: str, tmp_path: Path) -> None:
    """Saved LoRA and checkpoint are the optimiser's float32, also where the ranks compute in bfloat16."""
    run(tmp_path, stage, dtype, 2)
    check(tmp_path)
    b = lora_files.read(tmp_path).modules["blocks.1.ffn.net.2"][1]
    assert not torch.equal(b, b.bfloat16().float())
