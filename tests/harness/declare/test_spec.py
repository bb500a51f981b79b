import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.core.errors import UseError
from harness.core.registry import Registry
from harness.declare.spec import (
    Experiment,
    Variant,
    check_no_clash,
    experiment,
    load_experiment,
    parse_overrides,
    parse_seeds,
    resolve,
    select,
)


class Injection(BaseModel):
    model_config = ConfigDict(extra="forbid")
    p_img: float = Field(0.9, ge=0, le=1)
    p_vid: float = Field(0.9, ge=0, le=1)
    spread: Literal["head", "tile"] | int = "head"


class Train(BaseModel):
    steps: int = 100
    path: str | None = None


class Settings(BaseModel):
    injection: Injection = Injection()
    train: Train = Train()


def declared(*variants: Variant, baseline: str = "full", about: str | None = "Why?", **more: Any) -> Experiment:
    def ablation() -> Iterator[Variant]:
        yield from variants

    ablation.__doc__ = about
    return experiment(baseline=baseline, tracks=("t",), **{"trivial": False, **more})(ablation)


FULL, NO_IMG, NO_VID = (
    Variant("full"),
    Variant("no_img", {"injection.p_img": 0.0}),
    Variant("no_vid", {"injection.p_vid": 0}),
)


def test_an_experiment_keeps_what_was_declared_in_order() -> None:
    made = declared(Variant("base", {"train.enabled": False}), FULL, about="Is it\n    this?", seeds=(3, 1))
    assert made.name == "ablation"
    assert made.question == "Is it this?"
    assert [v.name for v in made.variants] == ["base", "full"]
    assert made.variants[0].set == {"train.enabled": False}
    assert (made.baseline, made.tracks, made.seeds, made.compare_to) == ("full", ("t",), (3, 1), None)
    with pytest.raises(ValidationError):
        made.name = "other"  # type: ignore[misc]


def test_the_variant_that_decides_a_question_must_be_there() -> None:
    def ablation() -> Iterator[Variant]:
        """Is it this?"""
        yield from (FULL, NO_IMG)

    assert experiment(tracks=("t",), yes_if=("no_img", "worse"))(ablation).yes_if == ("no_img", "worse")
    with pytest.raises(UseError, match="yes_if names 'full'"):
        experiment(tracks=("t",), yes_if=("full", "worse"))(ablation)
    with pytest.raises(
        UseError, match=r"tracks is 'consistent-50s', expected several in brackets: .*\('consistent-50s',\)"
    ):
        experiment(tracks="consistent-50s")(ablation)
    with pytest.raises(UseError, match="seeds is 3, expected several"):
        experiment(tracks=("t",), seeds=3)(ablation)  # type: ignore[arg-type]
    with pytest.raises(UseError, match=r"yes_if names 'no_imge'.*no_img"):
        experiment(tracks=("t",), yes_if=("no_imge", "worse"))(ablation)
    with pytest.raises(UseError, match="yes_if"):
        experiment(tracks=("t",), yes_if=("no_img", "slower"))(ablation)


def test_orderings_are_named_and_are_none_by_default() -> None:
    def ablation() -> Iterator[Variant]:
        """Is it this?"""
        yield FULL

    assert experiment(tracks=("t",), orderings="league")(ablation).orderings == "league"
    assert experiment(tracks=("t",))(ablation).orderings is None


def test_the_trivial_baselines_come_last_and_can_be_picked_and_dropped() -> None:
    whole = declared(Variant("base"), FULL, trivial=True)
    assert [v.name for v in whole.variants] == ["base", "full", "copy_image", "copy_clips", "ping_pong"]
    assert [v.set for v in whole.variants[2:]] == [{"generate.method": v.name} for v in whole.variants[2:]]
    assert [v.name for v in select(whole, "full,ping_pong").variants] == ["full", "ping_pong"]
    assert [v.name for v in select(whole, "base,full").variants] == ["base", "full"]
    copies = select(whole, "copy_*")
    assert ([v.name for v in copies.variants], copies.baseline) == (["copy_image", "copy_clips"], "copy_image")
    assert declared(FULL, trivial=True, baseline="copy_clips").baseline == "copy_clips"
    with pytest.raises(
        UseError, match=r"generate\.method=model on the command line.*copy_image, copy_clips, ping_pong"
    ):
        check_no_clash({"generate.method": "model"}, whole.variants)


def named(name: str) -> Experiment:
    return Experiment(name=name, question="Why?", variants=(FULL,), baseline="full", tracks=("consistent-50s",))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: declared(FULL, NO_IMG, FULL), "has variants twice: full"),
        (lambda: declared(FULL, baseline="ful"), "no variant 'ful' as baseline: did you mean 'full'"),
        (lambda: declared(FULL, about=None), "ablation has no docstring"),
        (lambda: declared(FULL, about="  "), "ablation has no docstring"),
        (lambda: declared(), "has no variants"),
        (lambda: declared(trivial=True), "has no variants"),
        (lambda: declared(FULL, Variant("ping_pong"), trivial=True), "'ping_pong', which is added to every experiment"),
        (lambda: declared("full", trivial=True), "variants.0='full'"),  # type: ignore[arg-type]
        (lambda: declared(FULL, seeds=()), "has no seeds"),
        (lambda: declared(FULL, seeds=(1, 1)), "has seeds twice: 1"),
        (lambda: declared("full"), "variants.0='full'"),  # type: ignore[arg-type]
        (lambda: Variant("no e_img"), "a variant is named 'no e_img'"),
        (lambda: Variant(".."), "a variant is named '..'"),
        (lambda: Variant(""), "a variant is named ''"),
        (lambda: named("../../up"), "an experiment is named '../../up'; expected letters"),
        (lambda: named(""), "an experiment is named ''"),
        (lambda: named("/up"), "an experiment is named '/up'"),
    ],
)
def test_a_declaration_that_does_not_hold_together_is_refused(make: Any, message: str) -> None:
    with pytest.raises(UseError) as caught:
        make()
    assert message in str(caught.value)


def test_a_variant_refuses_unknown_arguments() -> None:
    with pytest.raises(ValidationError, match="recpie"):
        Variant("full", recpie="paper")  # type: ignore[call-arg]


FILE = '''"""Mine."""
from harness.declare.spec import Variant, experiment
from neighbour import STEPS

@experiment(tracks=("consistent-50s",))
def mine():
    """Does it?"""
    yield Variant("full", {"train.steps": STEPS})
'''


def user_file(folder: Path, text: str) -> str:
    (folder / "mine.py").write_text(text)
    return str(folder / "mine.py")


def test_a_users_own_file_is_loaded_with_its_neighbours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    (tmp_path / "neighbour.py").write_text("STEPS = 7\n")
    file = user_file(tmp_path, FILE)
    found = load_experiment(f"{file}:mine", Registry("experiment"))
    assert (found.name, found.question, found.variants[0].set) == ("mine", "Does it?", {"train.steps": 7})
    for reference in (f"{file}:other", file):
        with pytest.raises(UseError, match=r"expected .*mine\.py:NAME with a NAME of: mine$"):
            load_experiment(reference, Registry("experiment"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("import os\n\nnonsense(3)\n", "mine.py, line 3: NameError: name 'nonsense' is not defined"),
        ("x = 1\ndef f(:\n", "mine.py, line 2: SyntaxError"),
        ("import json\n\njson.loads('{')\n", "mine.py, line 3: JSONDecodeError"),
        ("from harness.declare.spec import Variant\nVariant('a b')\n", "mine.py, line 2: a variant is named 'a b'"),
        ("x = 1\n", "with a NAME of: none (decorate a function with @experiment)"),
    ],
)
def test_a_fault_in_a_users_file_names_file_and_line(
    text: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", sys.path.copy())
    with pytest.raises(UseError) as caught:
        load_experiment(f"{user_file(tmp_path, text)}:mine", Registry("experiment"))
    assert message in str(caught.value)


def test_a_missing_file_and_an_unknown_name_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UseError, match=r"no file .*none\.py"):
        load_experiment(f"{tmp_path}/none.py:x", Registry("experiment"))
    with pytest.raises(UseError, match="unknown experiment 'x'"):
        load_experiment("x", Registry("experiment"))


def test_overrides_are_json_or_text() -> None:
    texts = ["a.b=3", "c=1e-4", "d=true", "e=False", "f=null", "g=None", "h=x,y", "i=a=b", 'j="3"', "k=[1,2]", "l="]
    assert parse_overrides(texts) == {
        "a.b": 3, "c": 1e-4, "d": True, "e": False, "f": None, "g": None,
        "h": "x,y", "i": "a=b", "j": "3", "k": "[1,2]", "l": "",
    }  # fmt: skip


@given(st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.booleans() | st.none())
def test_what_python_prints_is_read_back(value: object) -> None:
    read = parse_overrides([f"key={value}"])["key"]
    assert read == value
    assert type(read) is type(value)


@pytest.mark.parametrize("text", ["steps", "=3", "", " =3"])
def test_an_override_without_key_or_value_is_refused(text: str) -> None:
    with pytest.raises(UseError, match="expected key=value"):
        parse_overrides([text])


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(UseError, match=r"train\.steps is set twice"):
        parse_overrides(["train.steps=3", "train.steps=4"])


def test_later_layers_win_and_the_origin_is_kept() -> None:
    layers: list[tuple[str, dict[str, object]]] = [
        ("profile tiny", {"train.steps": 10, "injection.p_img": 0.5}),
        ("command line", {"train.steps": 20}),
        ("variant no_img", {"injection.p_img": 0}),
    ]
    resolved = resolve(Settings, layers)
    assert (resolved.settings.train.steps, resolved.settings.injection.p_img) == (20, 0.0)
    assert resolved.origin == {
        "injection.p_img": "variant no_img",
        "injection.p_vid": "default",
        "injection.spread": "default",
        "train.steps": "command line",
        "train.path": "default",
    }


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("injection.p_imgs", "did you mean injection.p_img or injection.p_vid? injection has: p_img, p_vid, spread"),
        ("p_img", "did you mean injection.p_img? sections: injection, train"),
        ("train.p_img", "did you mean injection.p_img? train has: steps, path"),
        ("injection", "sections: injection, train"),
        ("zzz.qqq", "unknown setting 'zzz.qqq' (command line): sections: injection, train"),
    ],
)
def test_an_unknown_setting_suggests_and_lists(key: str, message: str) -> None:
    with pytest.raises(UseError) as caught:
        resolve(Settings, [("command line", {key: 1})])
    assert message in str(caught.value)
    assert "(command line)" in str(caught.value)


def test_wrong_values_name_key_value_expectation_and_layer() -> None:
    with pytest.raises(UseError) as caught:
        resolve(Settings, [("variant x", {"injection.p_img": 3}), ("command line", {"train.steps": "ten"})])
    text = str(caught.value)
    assert "injection.p_img=3 (variant x): expected less than or equal to 1" in text
    assert "train.steps='ten' (command line): expected a whole number" in text


def test_a_wrong_value_of_a_union_is_one_sentence() -> None:
    with pytest.raises(UseError) as caught:
        resolve(Settings, [("recipe r", {"injection.spread": "middle"})])
    assert str(caught.value).startswith(
        "injection.spread='middle' (recipe r): expected 'head' or 'tile' or a whole number"
    )


def test_a_command_line_key_that_a_variant_sets_is_refused() -> None:
    check_no_clash({"train.steps": 3}, [FULL, NO_IMG, NO_VID])
    check_no_clash({"injection.p_img": 0.5}, [FULL, NO_VID])
    with pytest.raises(UseError, match=r"injection\.p_img=0\.5 on the command line, but it is what no_img sets"):
        check_no_clash({"injection.p_img": 0.5}, [FULL, NO_IMG, NO_VID])


def test_seeds() -> None:
    assert parse_seeds("3") == (0, 1, 2)
    assert parse_seeds("0,5, 7") == (0, 5, 7)
    assert parse_seeds("5,") == (5,)
    for wrong in ("0", "-1", "x", "", ",", "1,1", "-1,2", "1.5"):
        with pytest.raises(UseError, match="--seeds"):
            parse_seeds(wrong)


def test_selecting_keeps_the_declared_order_and_a_baseline() -> None:
    whole = declared(Variant("base"), FULL, NO_IMG, NO_VID)
    chosen = select(whole, "no_*, full")
    assert ([v.name for v in chosen.variants], chosen.baseline) == (["full", "no_img", "no_vid"], "full")
    assert select(whole, "no_*").baseline == "no_img"
    with pytest.raises(UseError, match=r"no variant of ablation matches 'no_imgg': did you mean 'no_img'"):
        select(whole, "full,no_imgg")
    with pytest.raises(UseError, match=r"matches 'nothing\*': .*base, full, no_img, no_vid"):
        select(whole, "nothing*")


def test_the_core_imports_no_torch_and_no_sibling() -> None:
    core = ("errors", "registry", "signature", "store", "graph", "job", "atomic", "text")
    light = [*(f"core.{name}" for name in core), "declare.spec", "plan.plan", "run.worker", "run.local", "run.schedule"]
    names = ", ".join(f"harness.{name}" for name in light)
    code = f"import sys, {names}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"torch", "numpy", "pandas", "mlflow", "sweeps", "reports"}
    # An experiment has tracks, which are values.
    assert {name for name in loaded if name.startswith("benchmarks.")} == {"benchmarks.track"}
    assert {name for name in loaded if name.startswith("svi.")} == {"svi.settings"}
