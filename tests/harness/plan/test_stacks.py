"""`--lora` in a plan: which file goes to which transformer at which strength, what of it is identity, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch

from harness.core.errors import UseError
from harness.plan.stacks import check, identity_of, stacks_of
from svi.lora import files
from svi.lora.files import LoraWeights
from svi.lora.stack import Lora

ONE, TWO = ("transformer",), ("transformer", "transformer_2")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for i, name in enumerate(("a.safetensors", "b.safetensors", "odd:0.5", "x=y.safetensors", "transformer=c")):
        write(tmp_path / f"{i}", i).rename(tmp_path / name)
    return tmp_path


def write(file: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    modules = {f"blocks.0.attn1.{name}": (torch.randn(2, 4), torch.randn(4, 2)) for name in ("to_q", "to_k")}
    files.write(LoraWeights(modules, 2.0, "peft"), file, "comfyui")
    return file


def lora(name: str, strength: float = 1.0) -> Lora:
    return Lora(Path(name), strength)


def test_files_strengths_and_transformers_in_order() -> None:
    assert stacks_of((), TWO) == ()
    assert stacks_of(("b.safetensors:0.8", "a.safetensors", "b.safetensors:-1e-1"), ONE) == (
        (lora("b.safetensors", 0.8), lora("a.safetensors"), lora("b.safetensors", -0.1)),
    )
    assert stacks_of(("transformer=a.safetensors:2",), ONE) == ((lora("a.safetensors", 2),),)
    given = ("transformer_2=a.safetensors", "transformer=b.safetensors:0.5", "transformer_2=b.safetensors:0")
    assert stacks_of(given, TWO) == (
        (lora("b.safetensors", 0.5),),
        (lora("a.safetensors"), lora("b.safetensors", 0)),
    )
    assert stacks_of(("transformer_2=a.safetensors",), TWO) == ((), (lora("a.safetensors"),))
    assert stacks_of(("b.safetensors", "a.safetensors"), TWO) == ((lora("b.safetensors"),), (lora("a.safetensors"),))


@pytest.mark.parametrize("spelt", ["./{}", "folder/../{}", ".//{}", "{here}//{}"])
def test_a_plain_file_is_one_however_its_path_is_spelt(spelt: str, here: Path) -> None:
    (here / "folder").mkdir()
    given = [spelt.format(name, here=here) for name in ("b.safetensors", "odd:0.5")]
    assert stacks_of(given, TWO) == tuple((lora(text),) for text in given)
    assert stacks_of(("folder/", "folder/"), TWO) == ((lora("folder"),), (lora("folder"),))


def test_a_name_with_a_colon_or_an_equals_sign_is_a_name_first() -> None:
    assert stacks_of(("odd:0.5", "odd:0.5:0.25"), ONE) == ((lora("odd:0.5"), lora("odd:0.5", 0.25)),)
    assert stacks_of(("x=y.safetensors", "transformer=x=y.safetensors:2"), ONE) == (
        (lora("x=y.safetensors"), lora("x=y.safetensors", 2)),
    )
    assert stacks_of(("transformer=c", "./transformer=c:3"), ONE) == (
        (lora("transformer=c"), lora("transformer=c", 3)),
    )


@pytest.mark.parametrize(
    ("given", "experts", "said"),
    [
        (("a.safetensors:strong",), ONE, "--lora a.safetensors:strong: received strength 'strong', expected a finite number"),
        (("a.safetensors:nan",), ONE, "received strength 'nan', expected a finite number"),
        (("a.safetensors:-inf",), ONE, "received strength '-inf', expected a finite number"),
        (("a.safetensors:",), ONE, "received strength '', expected a finite number"),
        (("none.safetensors",), ONE, "--lora none.safetensors: no such file or folder; expected FILE, FILE:STRENGTH"),
        (("",), ONE, "no such file or folder"),
        ((":1",), ONE, "no such file or folder"),
        (("n" * 5000,), ONE, "no such file or folder"),
        (("high=a.safetensors",), ONE, "--lora high=...: the backbone has no such transformer; it has transformer, so leave"),
        (("high=a.safetensors:1",), TWO, "it has transformer, transformer_2: write --lora transformer=FILE:STRENGTH"),
        (("a.safetensors",), TWO, "--lora was given 1 times, and the backbone has 2 transformers (transformer, transformer_2)"),
        (("a.safetensors", "b.safetensors:0.8"), TWO, "--lora transformer=a.safetensors --lora transformer_2=b.safetensors:0.8"),
        (("transformer=a.safetensors", "x=y.safetensors"), TWO, "--lora transformer=a.safetensors --lora transformer_2=x=y"),
        (("a.safetensors",) * 3, TWO, "--lora was given 3 times"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_refused(given: tuple[str, ...], experts: tuple[str, ...], said: str) -> None:
    with pytest.raises(UseError) as refused:
        stacks_of(given, experts)
    assert said in str(refused.value)


def test_contents_strengths_and_order_are_identity(here: Path) -> None:
    cache = here / "fingerprints.json"

    def identity(*given: str, experts: tuple[str, ...] = ONE) -> list[Any]:
        return identity_of(stacks_of(given, experts), cache)

    (a,) = identity("a.safetensors")
    (b,) = identity("b.safetensors")
    assert isinstance(a, str)  # as before there were stacks, so that films made then are found
    assert identity("a.safetensors:1") == identity("transformer=a.safetensors:1.00") == [a]
    assert identity("a.safetensors", "b.safetensors", experts=TWO) == [a, b]
    assert identity("transformer_2=b.safetensors", "transformer=a.safetensors", experts=TWO) == [a, b]
    assert identity("a.safetensors:0.5") == [[[a, 0.5]]]
    assert identity("a.safetensors", "b.safetensors") == [[[a, 1.0], [b, 1.0]]]
    assert identity("b.safetensors", "a.safetensors") == [[[b, 1.0], [a, 1.0]]]
    assert identity("transformer_2=a.safetensors", experts=TWO) == [[], [[a, 1.0]]]
    assert identity() == []


def test_what_no_model_could_take_is_refused_before_anything_runs(here: Path) -> None:
    check(stacks_of(("a.safetensors", "b.safetensors"), ONE))
    (here / "text.safetensors").write_text("not a LoRA")
    with pytest.raises(UseError, match=r"--lora: text\.safetensors is no safetensors file"):
        check(stacks_of(("a.safetensors", "text.safetensors"), ONE))
