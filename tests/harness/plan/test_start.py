"""`train.from` in a plan: what of it is identity, which stages it reaches, and what is refused before anything runs."""

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from harness.core.errors import UseError
from harness.declare.request import Request
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import Pipeline, build
from svi.lora import files
from svi.lora.files import LoraWeights

LORA = {"train.adapter": "lora", "train.rank": 2, "train.alpha": 2}


def write(folder: Path, seed: int = 0) -> str:
    torch.manual_seed(seed)
    modules = {f"blocks.0.attn1.{name}": (torch.randn(2, 4), torch.randn(4, 2)) for name in ("to_q", "to_k")}
    files.write(LoraWeights(modules, 2.0, "peft"), folder, "peft")
    return str(folder)


def built(folder: Path, **overrides: Any) -> Pipeline:
    dotted = {**LORA, **{key.replace("__", "."): value for key, value in overrides.items()}}
    return build(Request(EXPERIMENTS.get("ablation_eimg"), "ablation_eimg", "tiny", (), dotted), folder / "f.json")


def stages(pipeline: Pipeline, kind: str) -> dict[str, Any]:
    return {node.label: node for node in pipeline.graph if node.kind == kind}


def test_its_contents_are_identity_and_its_path_is_not(tmp_path: Path) -> None:
    one = built(tmp_path, train__from=write(tmp_path / "one"))
    same = built(tmp_path, train__from=shutil.copytree(tmp_path / "one", tmp_path / "same").as_posix())
    other = built(tmp_path, train__from=write(tmp_path / "other", seed=1))
    plain = built(tmp_path)
    full = "full, seed 0"
    signatures = [stages(each, "train")[full].signature for each in (one, same, other, plain)]
    assert signatures[0] == signatures[1]
    assert len(set(signatures)) == 3
    assert stages(one, "train")[full].runtime["train.from"] == str((tmp_path / "one").absolute())


def test_films_of_a_variant_that_trains_nothing_are_made_with_it(tmp_path: Path) -> None:
    begun, plain = built(tmp_path, train__from=write(tmp_path / "one")), built(tmp_path)
    for kind in ("generate", "forecast"):
        mine, usual = (
            next(node for label, node in stages(each, kind).items() if label.startswith("base"))
            for each in (begun, plain)
        )
        assert mine.signature != usual.signature
        assert mine.runtime["train.from"] == str((tmp_path / "one").absolute())
        trained = next(node for label, node in stages(begun, kind).items() if label.startswith("full"))
        assert "train.from" not in trained.runtime


def test_a_few_step_file_is_no_start_since_a_training_would_lose_its_differences(tmp_path: Path) -> None:
    weights = replace(
        files.read(Path(write(tmp_path / "plain"))), differences={"blocks.0.attn1.to_q.bias": torch.ones(4)}
    )
    files.write(weights, tmp_path / "few.safetensors", "comfyui")
    with pytest.raises(
        UseError, match=r"few\.safetensors: it holds differences of 1 parameters.*go on from a plain LoRA"
    ):
        built(tmp_path, train__from=str(tmp_path / "few.safetensors"))


def test_what_cannot_be_gone_on_from_is_refused(tmp_path: Path) -> None:
    there = write(tmp_path / "one")
    pickle = tmp_path / "lora.ckpt"
    torch.save({"a": os.getcwd}, pickle)
    cases = [
        ({"train__from": str(tmp_path / "none")}, r"train.from=.*none: no such file or folder"),
        ({"train__from": f"{there},{there}"}, r"received 2, and tiny trains 1"),
        ({"train__from": there, "train__rank": 4}, r"its rank is 2, and train.rank=4; set train.rank=2"),
        ({"train__from": there, "train__adapter": "full"}, r"train.adapter=full goes on from a folder of a model"),
        ({"train__from": str(pickle)}, r"train.from: .*lora.ckpt: received .*which may run any code and was not run"),
    ]
    for overrides, said in cases:
        with pytest.raises(UseError, match=said):
            built(tmp_path, **overrides)


def test_what_lies_beside_pefts_file_is_identity_too(tmp_path: Path) -> None:
    folder = Path(write(tmp_path / "one"))
    before = built(tmp_path, train__from=str(folder / "adapter_model.safetensors"))
    files.write_beside({"dwpose_embedding.0.bias": torch.ones(1)}, folder)
    after = built(tmp_path, train__from=str(folder / "adapter_model.safetensors"))
    assert stages(before, "train")["full, seed 0"].signature != stages(after, "train")["full, seed 0"].signature
