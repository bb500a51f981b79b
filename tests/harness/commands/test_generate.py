"""`harness generate` beside a finished experiment."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from harness.commands.generate import _cut
from harness.core.store import Store
from harness.declare.settings import Settings
from harness.plan.model import Model
from svi.settings import BackboneSettings, DataSettings
from tests.harness.finished import finished
from tests.harness.small import SMALL, harness


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """The words of a command for a short film of a portrait."""
    Image.new("RGB", (90, 160), (200, 40, 90)).save(tmp_path / "start.png")
    (tmp_path / "prompts.txt").write_text("red disc slowly east sand stripes")
    image, prompts = (str(tmp_path / name) for name in ("start.png", "prompts.txt"))
    return ["generate", str(tmp_path / "out.mp4"), "--image", image, "--prompts", prompts, "--seconds", "4", *SMALL]


def test_a_film_is_made_by_the_base_model_that_is_there(tmp_path: Path, asked: list[str]) -> None:
    store = tmp_path / "runs"
    shutil.copytree(finished(), store)
    before = list(Store(store).manifests("backbone"))
    done = harness(*asked, store=store)
    assert done.returncode == 0, done.stderr
    assert list(Store(store).manifests("backbone")) == before
    cut = "--image is 90 x 160 pixels, the film 16 x 16: rows 35 to 124 of 160 are kept, the other 44 % are cut"
    assert cut in done.stderr
    assert "data.height=" not in done.stderr  # another size would need another base model
    assert (tmp_path / "out.mp4").is_file()


def test_what_is_no_image_is_refused_before_anything_is_trained(tmp_path: Path, asked: list[str]) -> None:
    (tmp_path / "start.png").write_text("not an image")
    done = harness(*asked, store=tmp_path / "runs")
    assert done.returncode == 2
    assert "received no readable image" in done.stderr
    assert not (tmp_path / "runs" / "artifacts").exists()


def test_a_single_film_has_nothing_to_follow(tmp_path: Path, asked: list[str]) -> None:
    done = harness(*asked, "condition.signal=audio", store=tmp_path / "runs")
    assert (done.returncode, "make it a sample of eval.path=FOLDER" in done.stderr) == (2, True)


def test_what_is_cut_of_a_portrait_is_said_with_a_size_that_keeps_it(tmp_path: Path) -> None:
    Image.new("RGB", (1080, 1920)).save(tmp_path / "start.png")
    wan = Settings(backbone=BackboneSettings(name="folder"), data=DataSettings(height=480, width=832))
    assert list(_cut(tmp_path / "start.png", Model(wan))) == [
        "--image is 1080 x 1920 pixels, the film 832 x 480: rows 648 to 1270 of 1920 are kept, the other 68 % are cut",
        "for the whole image, make a film of its shape: data.height=848 data.width=480",
    ]
    Image.new("RGB", (1664, 960)).save(tmp_path / "start.png")
    assert list(_cut(tmp_path / "start.png", Model(wan))) == []


def test_a_film_comes_about_by_the_method_that_is_asked_for(tmp_path: Path, asked: list[str]) -> None:
    """A loop that needs no training makes another film than the usual one; a memory that is settings is these settings."""
    store, films = tmp_path / "runs", {}
    shutil.copytree(finished(), store)
    usual = ("method.memory=anchor_latents", "condition.anchor=true")
    for word in ("method.generation=free_noise", *usual):
        done = harness(*asked, word, store=store)
        assert done.returncode == 0, done.stderr
        films[word] = (tmp_path / "out.mp4").read_bytes()
    assert films[usual[0]] == films[usual[1]]
    kept = [manifest["identity"] for manifest in Store(store).manifests("film")]
    assert [one.get("method.generation") for one in kept].count("free_noise") == 1
    assert len(kept) == 2
    for loop in ("stream", "blocks"):  # no LoRA says that it was trained for them
        refused = harness(*asked, f"method.generation={loop}", store=store)
        assert refused.returncode == 2
        assert f"method.generation={loop} needs" in refused.stderr
