"""What `harness lora` does: from any LoRA, or a training under way, to any format, with a card that says where it comes from."""

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from benchmarks.suites.record import ScoredMetric, ScoreRecord
from harness.commands.lora import convert
from harness.core.errors import UseError
from harness.core.store import Store
from svi.lora import adapter as lora
from svi.lora import files as lora_files
from svi.settings import TrainSettings
from tests.harness.small import harness
from tests.svi.lora.lora_run import TARGETS, tiny_transformer

TRAIN, DATA, FILMS, SCORES = (letter * 64 for letter in "abcd")


def trained(alpha: int = 4) -> Any:
    backbone: Any = SimpleNamespace(transformers={"transformer": tiny_transformer()}, lora_targets=TARGETS)
    return lora.adapted(backbone, TrainSettings(rank=4, alpha=alpha))


def commit(store: Store, kind: str, signature: str, identity: dict[str, Any], upstream: dict[str, Any]) -> None:
    about = {"kind": kind, "signature": signature, "label": "film, seed 0", "identity": identity, "upstream": upstream}
    store.commit(kind, signature, {**about, "facts": {"torch": "2.11", "git.commit": "0123"}})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """A finished training, its latent cache, and the scores of films made with it."""
    store = Store(tmp_path / "results")
    store.begin("data", DATA)
    commit(store, "data", DATA, {"data.fingerprint": "feed", "data.hop": 3, "backbone.name": "tiny"}, {})
    lora.save(trained(), store.begin("train", TRAIN))
    identity = {"backbone.name": "wan2.2-i2v-a14b", "expert": "transformer_2", "train.lr": 2e-5, "train.rank": 4}
    commit(store, "train", TRAIN, identity, {"data": DATA})
    store.begin("generate", FILMS)
    commit(store, "generate", FILMS, {}, {"train": ["f" * 64, TRAIN]})
    folder = store.begin("score", SCORES)
    values = {"drift": np.array([[1.0, 3.0], [np.nan, 4.0], [np.nan, np.nan]]), "late": np.full(3, np.nan)}
    ScoreRecord(
        track="consistent-50s",
        track_version=1,
        samples=("a", "b", "c"),
        samples_hash="0" * 64,
        fps=16.0,
        resolution="832x480",
        n_clips=2,
        suite="embedded",
        suite_version="2",
        device="cpu",
        metrics={name: ScoredMetric(name, "lower", "1", "%", "clip", (), "", {}, "") for name in (*values, "skipped")},
        skipped={"skipped": "no truth"},
        values=values,
    ).write(folder)
    commit(store, "score", SCORES, {}, {"generate": FILMS})
    return store


def test_a_finished_training_becomes_a_file_that_says_where_it_comes_from(store: Store, tmp_path: Path) -> None:
    folder = store.artifact("train", TRAIN)
    said = convert(folder, tmp_path / "out" / "film.safetensors", "comfyui", store)
    assert said == [f"{tmp_path}/out/film.safetensors: 20 modules, rank 4, comfyui from peft"]
    kept, written = lora_files.read(folder), lora_files.read(tmp_path / "out" / "film.safetensors")
    assert all(torch.equal(kept.modules[name][0], a) for name, (a, _) in written.modules.items())
    with safe_open(tmp_path / "out" / "film.safetensors", framework="pt") as file:
        header = file.metadata()
    assert header["signature"] == TRAIN
    assert json.loads(header["recipe"])["train.lr"] == 2e-5
    assert (header["lora_format"], header["rank"], header["alpha"]) == ("comfyui", "4", "4")


@pytest.mark.parametrize("inside", ["", "lora", "lora/adapter_model.safetensors"])
def test_the_card_of_a_peft_folder(store: Store, inside: str, tmp_path: Path) -> None:
    convert(store.artifact("train", TRAIN) / inside, tmp_path / "film-lora", "peft", store)
    card = (tmp_path / "film-lora" / "README.md").read_text()
    front = card.split("---\n")[1]
    assert "base_model: Wan-AI/Wan2.2-I2V-A14B-Diffusers\n" in front
    assert "library_name: peft\n" in front
    assert "license" not in front
    for line in (
        "# film, seed 0",
        f"- signature: `{TRAIN}`",
        "- expert: `transformer_2`",
        "- 20 modules, rank 4, alpha 4",
        "| film, seed 0 | drift | 3 % | 1.4 | 2 | lower |",  # films of 2 and 4; the third has no value
        "| train.lr | 2e-05 |",
        "| data.fingerprint | feed |",
        "| git.commit | 0123 |",
        'pipe.load_lora_weights("film-lora.safetensors", load_into_transformer_2=True)',
    ):
        assert line in card.splitlines(), line
    assert "late" not in card
    assert "skipped" not in card


def test_without_a_store_the_manifest_still_speaks(store: Store, tmp_path: Path) -> None:
    convert(store.artifact("train", TRAIN), tmp_path / "lora", "peft")
    card = (tmp_path / "lora" / "README.md").read_text()
    assert TRAIN in card
    assert "## Scores" not in card


def test_a_stranger_s_file(tmp_path: Path) -> None:
    """From a PEFT folder to the authors' form, alpha folded; and to a folder whose card claims nothing."""
    lora_files.write(weights(alpha=2), tmp_path / "peft", "peft")
    said = convert(tmp_path / "peft", tmp_path / "v1.safetensors", "svi1")
    assert said[1:] == [
        "alpha 2 is not the rank, and this format cannot say so: B was multiplied by 0.5",
        "origin unknown: no finished Train artifact lies around it",
    ]
    assert all(key.startswith("pipe.dit.blocks.") for key in load_file(tmp_path / "v1.safetensors"))
    convert(tmp_path / "v1.safetensors", tmp_path / "back", "peft")
    card = (tmp_path / "back" / "README.md").read_text()
    assert "base_model" not in card
    assert "# back" in card
    assert "## Recipe" not in card


def weights(alpha: int = 4) -> lora_files.LoraWeights:
    found = lora.weights_of(trained(alpha))
    assert found is not None
    return found


def test_a_pose_encoder_is_kept_or_named(tmp_path: Path) -> None:
    lora_files.write(weights(), tmp_path / "plain.safetensors", "svi1")
    tensors = load_file(tmp_path / "plain.safetensors") | {"dwpose_embedding.0.weight": torch.ones(2)}
    save_file(tensors, tmp_path / "dance.safetensors")
    kept = convert(tmp_path / "dance.safetensors", tmp_path / "peft", "peft")
    assert "kept beside the LoRA: dwpose_embedding.0.weight" in kept
    assert "extra.safetensors`: dwpose_embedding.0.weight" in (tmp_path / "peft" / "README.md").read_text()
    lost = convert(tmp_path / "peft", tmp_path / "c.safetensors", "comfyui")
    assert "left out, comfyui has no place for it: dwpose_embedding.0.weight" in lost


def checkpoint(folder: Path, alpha: int = 2) -> None:
    """What a training under way leaves, as DeepSpeed writes it without ZeRO."""
    model = trained(alpha)
    step = folder / "checkpoints" / "step-0000007"
    step.mkdir(parents=True)
    state = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    torch.save({"module": state}, step / "mp_rank_00_model_states.pt")
    lora.save_config(model, folder / "checkpoints")
    (folder / "checkpoints" / "latest.json").write_text(json.dumps({"name": step.name, "step": 7}))


@pytest.mark.parametrize("inside", ["", "checkpoints", "checkpoints/step-0000007"])
def test_a_training_under_way(inside: str, tmp_path: Path) -> None:
    checkpoint(tmp_path / "train-aaaa")
    said = convert(tmp_path / "train-aaaa" / inside, tmp_path / "now", "peft")
    assert said[0] == f"{tmp_path}/now: 20 modules, rank 4, peft from checkpoint step-0000007"
    assert lora_files.read(tmp_path / "now").alpha == 2
    assert "training had not ended: `step-0000007`" in (tmp_path / "now" / "README.md").read_text()
    convert(tmp_path / "train-aaaa" / inside, tmp_path / "eight", "peft", alpha=8)
    assert lora_files.read(tmp_path / "eight").alpha == 8


def test_a_finished_training_is_taken_from_its_lora_not_its_last_checkpoint(store: Store, tmp_path: Path) -> None:
    checkpoint(store.artifact("train", TRAIN))
    said = convert(store.artifact("train", TRAIN), tmp_path / "film.safetensors", "diffusers", store)
    assert "step-" not in said[0]


def test_requests_that_cannot_be_met(store: Store, tmp_path: Path) -> None:
    source = store.artifact("train", TRAIN)
    (tmp_path / "there.safetensors").touch()
    (tmp_path / "full" / "transformer").mkdir(parents=True)
    for arguments, message in (
        ((source, tmp_path / "a", "a1111"), "unknown LoRA format 'a1111': available: peft, svi1"),
        ((source, tmp_path / "a.safetensors", "peft"), "a PEFT LoRA is a folder"),
        ((source, tmp_path / "a", "svi2"), "a LoRA as svi2 is one file; name it .*a.safetensors"),
        ((source, tmp_path / "there.safetensors", "svi2"), "is there already"),
        ((tmp_path / "none", tmp_path / "a", "peft"), "no such file or folder"),
        ((tmp_path / "full", tmp_path / "a", "peft"), "train.adapter=full"),
        ((source, tmp_path / "a", "peft", store, 3.0), "alpha is for checkpoints"),
    ):
        with pytest.raises(UseError, match=message):
            convert(*arguments)  # type: ignore[arg-type]
    assert not (tmp_path / "a").exists()


def test_a_checkpoint_that_is_gone_meanwhile(tmp_path: Path) -> None:
    checkpoint(tmp_path / "train-aaaa")
    (tmp_path / "train-aaaa" / "checkpoints" / "step-0000007" / "mp_rank_00_model_states.pt").unlink()
    with pytest.raises(UseError, match="step-0000007"):
        convert(tmp_path / "train-aaaa", tmp_path / "now", "peft")


def test_what_a_file_holds_is_said_without_a_target(tmp_path: Path) -> None:
    beside = {
        "blocks.0.attn1.norm_q.weight": torch.ones(24),
        "blocks.0.attn1.to_q.bias": torch.ones(24),
        "blocks.1.attn1.to_q.bias": torch.ones(24),
        "blocks.0.attn2.norm_added_k.weight": torch.ones(24),
        "scale_shift_table": torch.ones(1, 2, 24),
    }
    file = tmp_path / "few.safetensors"
    lora_files.write(replace(weights(alpha=2), differences=beside), file, "comfyui")
    done = harness("lora", str(file), store=tmp_path / "none")
    assert (done.returncode, done.stdout.splitlines()) == (
        0,
        [
            f"{file}: comfyui, 20 modules, rank 4, alpha 4",
            "differences, as few-step files have them: of 2 weights, 2 biases, 1 modulations",
            "1 of these are of the image's CLIP branch, which Wan 2.2 A14B does not have",
        ],
    )
    with pytest.raises(UseError, match=r"svi2 has no place for differences.*write it as comfyui"):
        convert(file, tmp_path / "v2.safetensors", "svi2")
    for words in (("--format", "svi2"), (str(tmp_path / "out.safetensors"),)):
        refused = harness("lora", str(file), *words, store=tmp_path / "none")
        assert refused.returncode == 2
        assert "give both to write the LoRA in that format, or neither" in refused.stderr
