"""A model's files: found, missing and identified; shapes read from config files."""

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from svi.backbones.catalogue import MODELS
from svi.backbones.weights import find_weights, missing_files, read_geometry, weights_digest
from svi.settings import BackboneSettings
from tests.svi.backbones.test_catalogue import SHAPES
from tests.svi.wan_folder import KINDS, Kind, WanFolder


@pytest.fixture
def folder(tmp_path: Path, wan_folder: WanFolder) -> Path:
    """One that a test may change."""
    return copytree(wan_folder("wan2.1-i2v"), tmp_path / "my model")


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the hub."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def in_hub(hub: Path, repository: str, source: Path) -> Path:
    """Put a folder into the cache as the hub's client does: links to blobs, large files named by their SHA-256."""
    home = hub / f"models--{repository.replace('/', '--')}"
    snapshot, blobs = home / "snapshots" / ("0" * 40), home / "blobs"
    (home / "refs").mkdir(parents=True)
    blobs.mkdir()
    (home / "refs" / "main").write_text("0" * 40)
    for file in (path for path in source.rglob("*") if path.is_file()):
        large = file.suffix == ".safetensors"
        digest = sha256(file.read_bytes()).hexdigest() if large else sha256(file.read_bytes()).hexdigest()[:40]
        (blobs / digest).write_bytes(file.read_bytes())
        link = snapshot / file.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(blobs / digest)
    return snapshot


def digest_file(asked: list[str]) -> Callable[[Path], str]:
    def digest(file: Path) -> str:
        asked.append(file.name)
        return sha256(file.read_bytes()).hexdigest()

    return digest


def edit(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


@pytest.mark.parametrize("kind", KINDS)
def test_shapes_are_read_from_the_config_files(kind: Kind, wan_folder: WanFolder) -> None:
    assert missing_files(wan_folder(kind)) == []
    assert read_geometry(wan_folder(kind)) == SHAPES[kind]


def test_a_folder_of_weights_is_found(folder: Path) -> None:
    assert find_weights(BackboneSettings(name="folder", weights=str(folder))) == folder


def test_missing_weights_say_what_to_type(hub: Path) -> None:
    with pytest.raises(ValueError, match="not in the hub's cache") as caught:
        find_weights(BackboneSettings(name="wan2.2-ti2v-5b"))
    message = str(caught.value)
    assert str(hub) in message
    assert "about 34 GB" in message
    assert "hf download Wan-AI/Wan2.2-TI2V-5B-Diffusers --local-dir FOLDER" in message
    assert "backbone.weights=FOLDER" in message


def test_weights_in_the_hubs_cache_are_found(hub: Path, wan_folder: WanFolder) -> None:
    snapshot = in_hub(hub, MODELS["wan2.2-ti2v-5b"].repository, wan_folder("wan2.2-ti2v"))
    settings = BackboneSettings(name="wan2.2-ti2v-5b")
    assert find_weights(settings) == snapshot
    (snapshot / "vae" / "diffusion_pytorch_model.safetensors").resolve().unlink()  # a download that was interrupted
    with pytest.raises(ValueError, match=r"missing: vae/diffusion_pytorch_model.safetensors") as caught:
        find_weights(settings)
    assert "hf download Wan-AI/Wan2.2-TI2V-5B-Diffusers" in str(caught.value)


def test_missing_shards_are_named(folder: Path) -> None:
    stem = "diffusion_pytorch_model"
    shards = [f"{stem}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    (folder / "transformer" / f"{stem}.safetensors").rename(folder / "transformer" / shards[0])
    index = {"weight_map": dict(zip("ab", shards, strict=True))}
    (folder / "transformer" / f"{stem}.safetensors.index.json").write_text(json.dumps(index))
    (folder / "image_processor" / "preprocessor_config.json").unlink()
    with pytest.raises(ValueError, match="not a whole Wan model") as caught:
        find_weights(BackboneSettings(name="wan2.1-i2v-14b-480p", weights=str(folder)))
    assert f"missing: image_processor/preprocessor_config.json, transformer/{shards[1]}" in str(caught.value)
    assert f"--local-dir '{folder}'" in str(caught.value)  # its name has a space


def test_a_folder_of_something_else_is_refused(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"missing: model_index.json. Models in diffusers' layout have -Diffusers"):
        find_weights(BackboneSettings(name="folder", weights=str(tmp_path / "empty")))
    with pytest.raises(ValueError, match=r"backbone.name=folder needs backbone.weights=FOLDER"):
        find_weights(BackboneSettings(name="folder"))
    with pytest.raises(ValueError, match=r"wan2.2-ti2v-5b, but .* holds another model"):
        find_weights(BackboneSettings(name="wan2.2-ti2v-5b", weights=str(folder)))


def test_other_wans_are_refused(folder: Path) -> None:
    config, index = folder / "transformer" / "config.json", folder / "model_index.json"
    before = config.read_text()
    edit(config, in_channels=16)
    with pytest.raises(ValueError, match="takes 16 channels, an image-to-video model takes 36"):
        read_geometry(folder)
    config.write_text(before)
    edit(config, pos_embed_seq_len=514)
    with pytest.raises(ValueError, match="FLF2V"):
        read_geometry(folder)
    config.write_text(before)
    edit(index, transformer=["diffusers", "WanVACETransformer3DModel"])
    with pytest.raises(ValueError, match="transformer is a WanVACETransformer3DModel"):
        read_geometry(folder)
    index.write_text("not json")
    with pytest.raises(ValueError, match=r"model_index.json cannot be read"):
        read_geometry(folder)


def test_digest_is_that_of_the_contents(folder: Path) -> None:
    asked: list[str] = []
    before = weights_digest(folder, digest_file(asked))
    assert {"model_index.json", "diffusion_pytorch_model.safetensors", "tokenizer.json"} <= set(asked)
    assert "scheduler_config.json" not in asked
    (folder / "README.md").write_text("not part of the model")
    edit(folder / "scheduler" / "scheduler_config.json", flow_shift=3.0)
    assert weights_digest(folder, digest_file([])) == before
    edit(folder / "vae" / "config.json", latents_mean=[0.0] * 16)
    assert weights_digest(folder, digest_file([])) != before


def test_digest_trusts_the_names_of_blobs(hub: Path, folder: Path) -> None:
    snapshot = in_hub(hub, "some/model", folder)
    asked: list[str] = []
    assert weights_digest(snapshot, digest_file(asked)) == weights_digest(folder, digest_file([]))
    assert "config.json" in asked
    assert not any(name.endswith(".safetensors") for name in asked)
