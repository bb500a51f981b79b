"""Several LoRAs on real Wan transformers: as diffusers has them act together, and few-step files as they are meant."""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import WanTransformer3DModel
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from svi.lora import files
from svi.lora.adapter import attach, load, save
from svi.lora.files import LoraWeights
from svi.lora.keys import Format, difference_key, of_image, parameter_of
from svi.lora.stack import Lora
from tests.svi.lora.lora_run import output, tiny_transformer
from tests.svi.wan_folder import WanFolder

ATTENTION = tuple(f"attn{n}.{name}" for n in (1, 2) for name in ("to_q", "to_k", "to_v", "to_out.0"))
FEED_FORWARD = ("ffn.net.0.proj", "ffn.net.2")


@pytest.fixture(scope="module")
def wan(wan_folder: WanFolder) -> Path:
    """Wan 2.1, with the branch for the image."""
    return wan_folder("wan2.1-i2v") / "transformer"


def fresh(wan: Path, dtype: torch.dtype | None = None) -> Any:
    return WanTransformer3DModel.from_pretrained(wan, torch_dtype=dtype)


def random_lora(
    transformer: nn.Module, kinds: tuple[str, ...], rank: int, alpha: float | None, seed: int
) -> LoraWeights:
    """Of these layers of every block; without an alpha it is the rank."""
    generator = torch.Generator().manual_seed(seed)
    linear = {name: m for name, m in transformer.named_modules() if isinstance(m, nn.Linear)}
    modules = {
        name: (
            torch.randn(rank, layer.in_features, generator=generator),
            0.1 * torch.randn(layer.out_features, rank, generator=generator),
        )
        for name, layer in linear.items()
        if name.startswith("blocks.") and name.endswith(kinds)
    }
    return LoraWeights(modules, float(rank) if alpha is None else alpha, "peft")


def backbone(transformer: nn.Module) -> Any:
    return SimpleNamespace(transformers={"transformer": transformer})


def test_a_stack_computes_what_diffusers_set_adapters_does(wan: Path, tmp_path: Path) -> None:
    """Other ranks, alphas and layers; one file twice, since strengths add up."""
    first = random_lora(fresh(wan), (*ATTENTION, *FEED_FORWARD), rank=4, alpha=8, seed=0)
    second = random_lora(fresh(wan), (*ATTENTION[:4], "add_k_proj"), rank=2, alpha=None, seed=1)
    stack = []
    theirs = fresh(wan)
    for name, weights, strength in (("one", first, 1.0), ("two", second, 0.8), ("three", first, -0.25)):
        file = tmp_path / f"{name}.safetensors"
        files.write(weights, file, "diffusers")
        theirs.load_lora_adapter(load_file(file), prefix="transformer", adapter_name=name)
        stack.append(Lora(file, strength))
    theirs.set_adapters(["one", "two", "three"], weights=[1.0, 0.8, -0.25])
    ours = load(backbone(fresh(wan)), stack)
    wanted, found = output(theirs), output(ours)
    assert (found - wanted).abs().max() <= 1e-6
    assert not any(p.requires_grad for p in ours.parameters())
    for fewer in (stack[:1], stack[:2], [stack[0], stack[1]._replace(strength=1.0)]):
        assert (output(load(backbone(fresh(wan)), fewer)) - wanted).abs().max() > 1e-3


def test_in_bfloat16_a_stack_is_diffusers_bit_by_bit(wan: Path) -> None:
    first = random_lora(fresh(wan), ATTENTION, rank=4, alpha=None, seed=0)
    second = random_lora(fresh(wan), FEED_FORWARD, rank=2, alpha=None, seed=1)
    theirs = fresh(wan, torch.bfloat16)
    for name, weights in (("a", first), ("b", second)):
        tensors = {
            f"{module}.lora_{half}.weight": tensor
            for module, halves in weights.modules.items()
            for half, tensor in zip("AB", halves, strict=True)
        }
        theirs.load_lora_adapter(tensors, prefix=None, adapter_name=name)
    theirs.set_adapters(["a", "b"], weights=[1.0, 0.5])
    ours = attach(fresh(wan, torch.bfloat16), [(first, 1.0), (second, 0.5)])
    generator = torch.Generator().manual_seed(1)
    shapes = ((1, 36, 3, 4, 6), (1, 7, 32), (1, 5, 32))
    x, text, image = (torch.randn(shape, generator=generator).bfloat16() for shape in shapes)
    with torch.no_grad():
        found, wanted = (m(x, torch.tensor([500.0]), text, image, return_dict=False)[0] for m in (ours, theirs))
    assert torch.equal(found, wanted)


def few_step(transformer: nn.Module, alpha: float | None) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A file with the keys of LightX2V's extractor, and what each parameter of the model grows by at strength 1.

    Linear layers of the blocks have a LoRA; all else has differences: biases, norms, modulation, the head, the patch embedding.
    """
    lora = random_lora(transformer, (*ATTENTION, "add_k_proj", "add_v_proj", *FEED_FORWARD), 4, alpha, seed=2)
    generator = torch.Generator().manual_seed(3)
    written: dict[str, Tensor] = {}
    grown: dict[str, Tensor] = {}
    for module, (a, b) in lora.modules.items():
        wan = difference_key(f"{module}.bias").removesuffix(".diff_b")
        written |= {f"{wan}.lora_down.weight": a, f"{wan}.lora_up.weight": b}
        if alpha is not None:
            written[f"{wan}.alpha"] = torch.tensor(alpha)
        grown[f"{module}.weight"] = lora.scale * b @ a
    parameters = dict(transformer.named_parameters())
    for name in parameters.keys() - grown.keys():
        if not name.startswith("condition_embedder.t"):  # AccVideo's time_projection has a difference of its bias alone
            grown[name] = 0.1 * torch.randn(parameters[name].shape, generator=generator)
            written[difference_key(name)] = grown[name]
    bias = "condition_embedder.time_proj.bias"
    written["diffusion_model.time_projection.1.diff_b"] = grown[bias] = torch.full_like(parameters[bias], 0.1)
    return written, grown


@torch.no_grad()
def by_hand(transformer: Any, grown: Mapping[str, Tensor], strength: float) -> Any:
    for name, parameter in transformer.named_parameters():
        if name in grown:
            parameter += strength * grown[name]
    return transformer.eval()


@pytest.mark.parametrize("strength", [1.0, 0.7])
@pytest.mark.parametrize("alpha", [None, 8.0])
def test_a_few_step_file_grows_all_that_it_names(
    wan: Path, alpha: float | None, strength: float, tmp_path: Path
) -> None:
    """diffusers would leave out its norms; here they are the weights that one computes by hand."""
    file = tmp_path / "few.safetensors"
    written, grown = few_step(fresh(wan), alpha)
    save_file(written, file)
    for kind in ("norm_k_img.diff", "norm3.diff_b", "blocks.1.diff_m", "head.diff_m", "patch_embedding.diff", "head.head.diff",
                 "img_emb.proj.0.diff", "img_emb.proj.4.diff_b"):  # fmt: skip
        assert any(key.endswith(kind) for key in written), kind
    ours = load(backbone(fresh(wan)), [Lora(file, strength)])
    by_name, compared = dict(fresh(wan).named_parameters()), 0
    for name, parameter in ours.named_parameters():
        plain = name.removeprefix("base_model.model.").replace(".base_layer", "")
        if plain in grown and not name.endswith("base_layer.weight"):
            assert torch.equal(parameter, by_name[plain] + strength * grown[plain])
            compared += 1
    assert compared == sum(".diff" in key for key in written)
    wanted = output(by_hand(fresh(wan), grown, strength))
    assert (output(ours) - wanted).abs().max() <= 2e-6
    without = {key: tensor for key, tensor in written.items() if "norm" not in key}
    save_file(without, tmp_path / "without.safetensors")
    assert (
        output(load(backbone(fresh(wan)), [Lora(tmp_path / "without.safetensors", strength)])) - wanted
    ).abs().max() > 1e-3


def test_differences_of_several_files_are_rounded_once(wan: Path) -> None:
    """To the model's own precision, of their sum in float32."""
    name = "blocks.0.attn1.to_q.bias"
    lora = random_lora(fresh(wan), ATTENTION, 4, None, seed=0)
    start = dict(fresh(wan, torch.bfloat16).named_parameters())[name]
    step = torch.full_like(start, 1.0).float() * start.float().abs().max() * 2**-9
    stack = [(LoraWeights(lora.modules, lora.alpha, "comfyui", differences={name: step}), 0.5) for _ in range(4)]
    model = attach(fresh(wan, torch.bfloat16), stack)
    found = dict(model.named_parameters())["base_model.model.blocks.0.attn1.to_q.base_layer.bias"]
    assert torch.equal(found, (start.float() + 2 * step).bfloat16())
    assert not torch.equal(found, start)


def test_a_few_step_file_survives_a_round_trip_as_comfyui_alone(wan: Path, tmp_path: Path) -> None:
    written, _ = few_step(fresh(wan), None)
    save_file(written, tmp_path / "few.safetensors")
    weights = files.read(tmp_path / "few.safetensors")
    files.write(weights, tmp_path / "again.safetensors", "comfyui")
    again = files.read(tmp_path / "again.safetensors")
    assert again.differences.keys() == weights.differences.keys()
    assert all(torch.equal(again.differences[name], tensor) for name, tensor in weights.differences.items())
    others: tuple[Format, ...] = ("svi1", "svi2", "diffusers", "peft")
    for form in others:
        with pytest.raises(ValueError, match=f"{form} has no place for differences.*write it as comfyui"):
            files.write(weights, tmp_path / form, form)


def test_every_parameter_of_a_wan_has_a_name_in_few_step_files(wan: Path) -> None:
    names = [name for name, _ in fresh(wan).named_parameters()]
    keys = [difference_key(name) for name in names]
    assert [parameter_of(key) for key in keys] == names
    assert len(set(keys)) == len(keys)
    assert parameter_of("diffusion_model.blocks.3.modulation.diff") == "blocks.3.scale_shift_table"
    assert parameter_of("head.modulation.diff") == "scale_shift_table"
    assert of_image("condition_embedder.image_embedder.norm1.weight")
    assert of_image("blocks.10.attn2.norm_added_k.weight")
    assert not of_image("blocks.1.attn2.to_k")


def test_the_image_s_part_of_a_few_step_file_is_left_out_of_a_model_without_any(wan: Path, tmp_path: Path) -> None:
    """LightX2V's files for Wan 2.2 A14B hold it, and A14B has no such layers."""
    written, _ = few_step(tiny_transformer(), None)
    save_file(written, tmp_path / "plain.safetensors")
    image = {"diffusion_model.img_emb.proj.0.diff": torch.ones(8)}
    for i in range(2):
        name = f"diffusion_model.blocks.{i}.cross_attn"
        image |= {f"{name}.norm_k_img.diff": torch.ones(24), f"{name}.k_img.diff_b": torch.ones(24)}
        image |= {
            f"{name}.k_img.lora_down.weight": torch.ones(4, 24),
            f"{name}.k_img.lora_up.weight": torch.ones(24, 4),
        }
    save_file({**written, **image}, tmp_path / "image.safetensors")
    plain = load(backbone(tiny_transformer()), [Lora(tmp_path / "plain.safetensors")])
    with pytest.warns(UserWarning, match=r"no branch for the image's CLIP feature.*blocks\.0\.attn2\.add_k_proj"):
        rest = load(backbone(tiny_transformer()), [Lora(tmp_path / "image.safetensors")])
    wanted, found = plain.state_dict(), rest.state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())


@pytest.mark.parametrize(
    ("key", "tensor", "said"),
    [
        ("diffusion_model.blocks.0.self_attn.q.dora_scale", torch.ones(24), "unexpected keys.*dora_scale"),
        ("diffusion_model.blocks.0.norm9.diff", torch.ones(24), r"unexpected keys.*norm9\.diff"),
        ("diffusion_model.blocks.7.norm3.diff", torch.ones(24), r"not in the model: blocks\.7\.norm2\.weight"),
        ("diffusion_model.patch_embedding.diff", torch.ones(24, 36, 1, 2, 2), r"patch_embedding\.weight \(24, 36, .* instead of"),
    ],
)  # fmt: skip
def test_what_does_not_belong_is_refused_and_nothing_changed(
    key: str, tensor: Tensor, said: str, tmp_path: Path
) -> None:
    written, _ = few_step(tiny_transformer(), None)
    save_file(written, tmp_path / "good.safetensors")
    save_file({**written, key: tensor}, tmp_path / "bad.safetensors")
    transformer = tiny_transformer()
    with pytest.raises(ValueError, match=f"bad.safetensors.*{said}"):
        load(backbone(transformer), [Lora(tmp_path / "good.safetensors"), Lora(tmp_path / "bad.safetensors")])
    before = tiny_transformer().state_dict()
    assert transformer.state_dict().keys() == before.keys()
    assert all(torch.equal(before[name], tensor) for name, tensor in transformer.state_dict().items())


def test_a_trained_transformer_comes_first_and_loras_are_added_to_it(tmp_path: Path) -> None:
    whole = tiny_transformer()
    with torch.no_grad():
        whole.proj_out.weight.mul_(2)
    save(whole, tmp_path)
    weights = random_lora(tiny_transformer(), ATTENTION, 4, None, seed=0)
    files.write(weights, tmp_path / "l.safetensors", "svi2")
    stack = [Lora(tmp_path), Lora(tmp_path / "l.safetensors", 0.5)]
    found = load(backbone(tiny_transformer()), stack).state_dict()
    wanted = attach(whole, [(weights, 0.5)]).state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in wanted.items())
    with pytest.raises(ValueError, match="give it first, and no other one"):
        load(backbone(tiny_transformer()), stack[::-1])
