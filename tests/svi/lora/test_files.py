"""LoRA files: every format read and written, bit by bit, and what is refused."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from svi.lora.files import LoraWeights, read, write
from svi.lora.keys import FORMATS, Format, parse

WIDTH, HIDDEN, RANK, BLOCKS = 24, 32, 4, 2
WAN = (*(f"{attention}.{name}" for attention in ("self_attn", "cross_attn") for name in "qkvo"), "ffn.0", "ffn.2")
PROJECTIONS = ("to_q", "to_k", "to_v", "to_out.0")
OURS = (*(f"attn{n}.{name}" for n in (1, 2) for name in PROJECTIONS), "ffn.net.0.proj", "ffn.net.2")
SIZES = {"ffn.0": (HIDDEN, WIDTH), "ffn.2": (WIDTH, HIDDEN)}
FIRST_KEY = {
    "peft": "base_model.model.blocks.0.attn1.to_q.lora_A.weight",
    "svi1": "pipe.dit.blocks.0.self_attn.q.lora_A.default.weight",
    "svi2": "blocks.0.self_attn.q.lora_A.default.weight",
    "comfyui": "diffusion_model.blocks.0.self_attn.q.lora_A.weight",
    "diffusers": "transformer.blocks.0.attn1.to_q.lora_A.weight",
}


def by_hand(
    prefix: str = "", a: str = ".lora_A.default.weight", b: str = ".lora_B.default.weight"
) -> dict[str, Tensor]:
    """A file's tensors as its authors name them."""
    torch.manual_seed(0)
    tensors = {}
    for block in range(BLOCKS):
        for module in WAN:
            out, into = SIZES.get(module, (WIDTH, WIDTH))
            tensors[f"{prefix}blocks.{block}.{module}{a}"] = torch.randn(RANK, into)
            tensors[f"{prefix}blocks.{block}.{module}{b}"] = torch.randn(out, RANK)
    return tensors


def some_weights(alpha: float = RANK, dtype: torch.dtype = torch.float32) -> LoraWeights:
    tensors = by_hand()
    names = {
        f"blocks.{i}.{wan}": f"blocks.{i}.{ours}" for i in range(BLOCKS) for wan, ours in zip(WAN, OURS, strict=True)
    }
    modules = {
        ours: tuple(tensors[f"{wan}.lora_{half}.default.weight"].to(dtype) for half in "AB")
        for wan, ours in names.items()
    }
    return LoraWeights(modules, alpha, "peft")  # type: ignore[arg-type]


def target(folder: Path, form: Format) -> Path:
    return folder / ("lora" if form == "peft" else f"{form}.safetensors")


def same(one: LoraWeights, other: LoraWeights) -> bool:
    """Bit by bit, dtype included."""
    return one.modules.keys() == other.modules.keys() and all(
        x.dtype == y.dtype and torch.equal(x, y)
        for name in one.modules
        for x, y in zip(one.modules[name], other.modules[name], strict=True)
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", FORMATS)
def test_a_round_trip_keeps_every_bit(form: Format, dtype: torch.dtype, tmp_path: Path) -> None:
    weights = some_weights(dtype=dtype)
    write(weights, target(tmp_path, form), form)
    found = read(target(tmp_path, form))
    assert same(found, weights)
    assert (found.form, found.rank, found.alpha) == (form, RANK, RANK)
    write(found, target(tmp_path / "again", form), form)
    assert same(read(target(tmp_path / "again", form)), weights)


@pytest.mark.parametrize("form", FORMATS)
def test_names_in_the_file_are_the_formats_own(form: Format, tmp_path: Path) -> None:
    write(some_weights(), target(tmp_path, form), form)
    file = target(tmp_path, form)
    keys = sorted(load_file(file / "adapter_model.safetensors" if form == "peft" else file))
    assert FIRST_KEY[form] in keys
    assert len(keys) == BLOCKS * 10 * 2
    prefix, _, rest = FIRST_KEY[form].partition("blocks.0.")
    assert all(key.startswith(f"{prefix}blocks.") and key.endswith(rest.partition("lora_A")[2]) for key in keys)


@pytest.mark.parametrize(("alpha", "exact"), [(2.0, True), (8.0, True), (3.0, False)])
@pytest.mark.parametrize("form", FORMATS)
def test_alpha_is_kept_or_goes_into_b(form: Format, alpha: float, exact: bool, tmp_path: Path) -> None:
    weights = some_weights(alpha)
    write(weights, target(tmp_path, form), form)
    found = read(target(tmp_path, form))
    assert found.alpha == (alpha if form == "peft" else RANK)
    for name, (a, b) in weights.modules.items():
        their_a, their_b = found.modules[name]
        assert torch.equal(their_a, a)
        wanted = b.double() * weights.scale
        if exact or form == "peft":
            assert torch.equal(their_b.double() * found.scale, wanted)
        else:  # rounded once to float32
            assert ((their_b - wanted).abs() <= wanted.abs() * 2**-24).all()


def test_a_fraction_in_bfloat16_is_not_rounded_to_it(tmp_path: Path) -> None:
    weights = some_weights(alpha=3.0, dtype=torch.bfloat16)
    write(weights, tmp_path / "lora.safetensors", "comfyui")
    a, b = read(tmp_path / "lora.safetensors").modules["blocks.0.attn1.to_q"]
    assert (a.dtype, b.dtype) == (torch.bfloat16, torch.float32)
    assert torch.equal(b.double(), weights.modules["blocks.0.attn1.to_q"][1].double() * 0.75)


@pytest.mark.parametrize(("prefix", "form"), [("pipe.dit.", "svi1"), ("", "svi2")])
def test_the_authors_files(prefix: str, form: Format, tmp_path: Path) -> None:
    """Read by module, alpha = rank; the pose encoder of Dance is set aside, and written again where there is a place for it."""
    pose = {"dwpose_embedding.0.weight": torch.randn(3, 3), "dwpose_embedding.0.bias": torch.randn(3)}
    tensors = by_hand(prefix) | pose
    save_file(tensors, tmp_path / "theirs.safetensors")
    weights = read(tmp_path / "theirs.safetensors")
    assert (weights.form, weights.alpha, weights.rank) == (form, RANK, RANK)
    for block in range(BLOCKS):
        for wan, ours in zip(WAN, OURS, strict=True):
            for half, tensor in zip("AB", weights.modules[f"blocks.{block}.{ours}"], strict=True):
                assert torch.equal(tensor, tensors[f"{prefix}blocks.{block}.{wan}.lora_{half}.default.weight"])
    assert weights.extra.keys() == pose.keys()

    write(weights, tmp_path / "back.safetensors", form)
    back = load_file(tmp_path / "back.safetensors")
    assert back.keys() == tensors.keys()
    assert all(torch.equal(back[key], tensors[key]) for key in tensors)
    write(weights, tmp_path / "peft", "peft")
    assert read(tmp_path / "peft").extra.keys() == pose.keys()
    write(weights, tmp_path / "comfyui.safetensors", "comfyui")
    assert not read(tmp_path / "comfyui.safetensors").extra


@pytest.mark.parametrize("shards", [1, 3])
def test_a_folder_as_the_authors_extraction_writes_it(shards: int, tmp_path: Path) -> None:
    tensors = by_hand("") | {"dwpose_embedding.0.weight": torch.randn(3, 3)}
    names = (
        [f"lora_weights_{i + 1:02d}_of_03.safetensors" for i in range(3)]
        if shards == 3
        else ["lora_weights.safetensors"]
    )
    for i, name in enumerate(names):
        save_file({key: tensors[key] for key in list(tensors)[i :: len(names)]}, tmp_path / name)
    (tmp_path / "._lora_weights.safetensors").write_bytes(b"of a Mac")
    save_file(tensors, tmp_path.parent / "whole.safetensors")
    assert same(read(tmp_path), read(tmp_path.parent / "whole.safetensors"))
    assert read(tmp_path).extra.keys() == {"dwpose_embedding.0.weight"}


def test_a_folder_of_several_loras_or_of_some_parts(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_file(by_hand(""), tmp_path / f"{name}.safetensors")
    with pytest.raises(
        ValueError, match=r"several LoRA files \(.*a\.safetensors, .*b\.safetensors.*; name the one to read"
    ):
        read(tmp_path)
    for name in ("a", "b"):
        (tmp_path / f"{name}.safetensors").rename(tmp_path / f"{name}_{'ab'.index(name) + 1:02d}_of_03.safetensors")
    with pytest.raises(ValueError, match="holds 2 of 3 parts of a LoRA"):
        read(tmp_path)
    for name in ("a_01_of_03", "b_02_of_03"):
        (tmp_path / f"{name}.safetensors").rename(tmp_path / f"{name[0]}_01_of_02.safetensors")
    with pytest.raises(ValueError, match=r"a_01_of_02\.safetensors, b_01_of_02\.safetensors hold the same tensors"):
        read(tmp_path)


def test_kohya_and_comfyui_files_with_alpha(tmp_path: Path) -> None:
    down_up = by_hand("", ".lora_down.weight", ".lora_up.weight")
    flat = {
        "lora_unet_" + key.removesuffix(f".{half}.weight").replace(".", "_") + f".{half}.weight": tensor
        for key, tensor in down_up.items()
        for half in ("lora_down", "lora_up")
        if key.endswith(f".{half}.weight")
    }
    flat |= {key.replace(".lora_down.weight", ".alpha"): torch.tensor(2.0) for key in flat if "lora_down" in key}
    comfyui = {f"diffusion_model.{key}": tensor for key, tensor in down_up.items()}
    comfyui |= {key.replace(".lora_down.weight", ".alpha"): torch.tensor(2.0) for key in comfyui if "lora_down" in key}
    for name, tensors in {"kohya": flat, "comfyui": comfyui}.items():
        save_file(tensors, tmp_path / f"{name}.safetensors")
        weights = read(tmp_path / f"{name}.safetensors")
        assert (weights.form, weights.alpha, weights.scale) == (name, 2.0, 0.5)
        assert same(weights, some_weights())


def test_what_diffusers_itself_saves(tmp_path: Path) -> None:
    """Its header holds alpha; a file or its folder may be given."""
    from diffusers import WanImageToVideoPipeline

    layers = {
        f"{name}.lora_{half}.weight": tensor
        for name, halves in some_weights().modules.items()
        for half, tensor in zip("AB", halves, strict=True)
    }
    WanImageToVideoPipeline.save_lora_weights(
        tmp_path, layers, transformer_lora_adapter_metadata={"r": RANK, "lora_alpha": 2}
    )
    for path in (tmp_path, tmp_path / "pytorch_lora_weights.safetensors"):
        weights = read(path)
        assert (weights.form, weights.alpha) == ("diffusers", 2.0)
        assert same(weights, some_weights())


def test_other_modules_of_wan_have_names_too() -> None:
    named = {
        "diffusion_model.blocks.7.cross_attn.k_img.lora_A.weight": "blocks.7.attn2.add_k_proj",
        "diffusion_model.time_projection.1.lora_A.weight": "condition_embedder.time_proj",
        "lora_unet_blocks_11_ffn_2.lora_down.weight": "blocks.11.ffn.net.2",
        "lora_unet_head_head.lora_down.weight": "proj_out",
        "blocks.3.ffn.net.2.lora_A.weight": "blocks.3.ffn.net.2",
    }
    for key, module in named.items():
        found = parse(key)
        assert found is not None
        assert found.module == module
    for key in ("blocks.0.head.head.lora_A.weight", "self_attn.q.lora_A.weight", "blocks.0.self_attn.q.weight"):
        assert parse(key) is None


def test_the_header_says_what_the_file_is(tmp_path: Path) -> None:
    write(some_weights(2.0), tmp_path / "a.safetensors", "svi2", {"signature": "0123", "recipe": "{}"})
    weights = read(tmp_path / "a.safetensors")
    assert weights.metadata == {"signature": "0123", "recipe": "{}"}
    write(weights, tmp_path / "lora", "peft")
    with safe_open(tmp_path / "lora" / "adapter_model.safetensors", framework="pt") as file:
        assert file.metadata() == {
            "format": "pt",
            "lora_format": "peft",
            "rank": "4",
            "alpha": "4",
            "signature": "0123",
            "recipe": "{}",
        }


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    write(some_weights(), tmp_path / "a.safetensors", "svi2")
    before = (tmp_path / "a.safetensors").read_bytes()
    a, b = some_weights().modules["blocks.0.attn1.to_q"]
    shared = LoraWeights({"blocks.0.attn1.to_q": (a, b), "blocks.0.attn1.to_k": (a, b)}, RANK, "peft")
    with pytest.raises(RuntimeError, match="share memory"):  # which safetensors does not write
        write(shared, tmp_path / "a.safetensors", "svi2")
    assert (tmp_path / "a.safetensors").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["a.safetensors"]


def test_unknown_format(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown LoRA format 'a1111'; known are peft, svi1, svi2, comfyui, diffusers"):
        write(some_weights(), tmp_path / "x.safetensors", "a1111")  # type: ignore[arg-type]


Change = Callable[[dict[str, Tensor]], object]
Q = "blocks.0.self_attn.q"
BAD: dict[str, tuple[Change, str]] = {
    "nothing matches": (
        lambda t: [t.__setitem__(key.replace("blocks", "layers"), t.pop(key)) for key in list(t)],
        r"holds no LoRA of a Wan transformer: none of its 40 keys matches \(layers\.0.*\.\.\. \(40 in all\)\)",
    ),
    "empty": (lambda t: t.clear(), "none of its 0 keys matches"),
    "unexpected": (
        lambda t: t.update({"blocks.0.norm9.diff": torch.ones(1), f"{Q}.dora_scale": torch.ones(1)}),
        r"unexpected keys, which would be lost: blocks\.0\.norm9\.diff, blocks\.0\.self_attn\.q\.dora_scale",
    ),
    "no B": (
        lambda t: t.pop(f"{Q}.lora_B.default.weight"),
        r"incomplete; missing in its 2 blocks: blocks\.0\.attn1\.to_q \(B\)$",
    ),
    "a block lacks a module": (
        lambda t: [t.pop(f"{Q}.lora_{half}.default.weight") for half in "AB"],
        r"missing in its 2 blocks: blocks\.0\.attn1\.to_q \(A\), blocks\.0\.attn1\.to_q \(B\)$",
    ),
    "another rank": (
        lambda t: t.update(
            {f"{Q}.lora_A.default.weight": torch.ones(3, WIDTH), f"{Q}.lora_B.default.weight": torch.ones(WIDTH, 3)}
        ),
        r"expected rank 4, as in most modules; another shape have blocks\.0\.attn1\.to_q \(A \[3, 24\], B \[24, 3\]\)",
    ),
    "halves of two ranks": (
        lambda t: t.update({f"{Q}.lora_B.default.weight": torch.ones(WIDTH, 3)}),
        r"another shape have blocks\.0\.attn1\.to_q \(A \[4, 24\], B \[24, 3\]\)",
    ),
    "not a matrix": (
        lambda t: t.update({f"{Q}.lora_B.default.weight": torch.ones(WIDTH, RANK, 1)}),
        r"another shape have blocks\.0\.attn1\.to_q \(A \[4, 24\], B \[24, 4, 1\]\)",
    ),
    "one alpha": (
        lambda t: t.update({f"{Q}.alpha": torch.tensor(2.0)}),
        r"expected one alpha, 2 as in most modules; another have blocks\.0\.attn1\.to_k \(none\)",
    ),
    "two formats": (
        lambda t: t.__setitem__(f"pipe.dit.{Q}.lora_A.default.weight", t.pop(f"{Q}.lora_A.default.weight")),
        r"mixes formats: .*\(svi2\), pipe\.dit\..*\(svi1\)",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_no_whole_lora_is_refused_with_its_keys(case: str, tmp_path: Path) -> None:
    change, message = BAD[case]
    tensors = by_hand()
    change(tensors)
    save_file(tensors, tmp_path / "bad.safetensors")
    with pytest.raises(ValueError, match=message) as refused:
        read(tmp_path / "bad.safetensors")
    assert "bad.safetensors" in str(refused.value)


def test_files_that_are_no_safetensors(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file or folder"):
        read(tmp_path / "missing.safetensors")
    write(some_weights(), tmp_path / "whole.safetensors", "svi2")
    whole = (tmp_path / "whole.safetensors").read_bytes()
    for name, content in {
        "cut": whole[:-100],
        "text": b"<html>Not found</html>",
        "empty": b"",
        "head": whole[:40],
    }.items():
        (tmp_path / f"{name}.safetensors").write_bytes(content)
        with pytest.raises(ValueError, match="is no safetensors file, or is damaged"):
            read(tmp_path / f"{name}.safetensors")


def test_pickles_are_refused_unopened(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return (Path.touch, (tmp_path / "opened",))

    (tmp_path / "peft").mkdir()
    for file in ("lora.pt", "lora.ckpt", "peft/adapter_model.bin", "lora.safetensors"):
        torch.save(Trap(), tmp_path / file)
    for path in ("lora.pt", "peft"):
        with pytest.raises(ValueError, match="is a pickle, which may run any code"):
            read(tmp_path / path)
    with pytest.raises(ValueError, match=r"lora.ckpt: received .*which may run any code and was not run"):
        read(tmp_path / "lora.ckpt")
    with pytest.raises(ValueError, match="is no safetensors file"):
        read(tmp_path / "lora.safetensors")
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r": 8}, "says rank r=8, but the tensors beside it have rank 4"),
        ({"use_dora": True}, "only a plain LoRA can be read, this adapter has use_dora=True"),
        ({"use_rslora": True, "bias": "all"}, "this adapter has use_rslora=True, bias=all"),
        ({"peft_type": "LOHA"}, "this adapter has peft_type=LOHA"),
        ({"alpha_pattern": {"ffn.net.2": 8}}, "alpha_pattern="),
        ({"lora_alpha": None}, "names no rank r and lora_alpha"),
    ],
)
def test_peft_configs_that_say_something_else(change: dict[str, object], message: str, tmp_path: Path) -> None:
    write(some_weights(), tmp_path / "lora", "peft")
    config = tmp_path / "lora" / "adapter_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "lora")
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "lora" / "adapter_model.safetensors")


def test_damaged_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"holds no LoRA; expected adapter_config\.json"):
        read(tmp_path)
    write(some_weights(), tmp_path / "lora", "peft")
    assert same(read(tmp_path), some_weights())  # as Train's folder holds it
    (tmp_path / "lora" / "adapter_config.json").write_text("{")
    with pytest.raises(ValueError, match=r"adapter_config\.json cannot be read"):
        read(tmp_path / "lora")
