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


@pytest.mark.parametrize(
    ("method", "said"),
    [
        ("method.architecture=causal", "method.architecture=causal: a single film is made clip by clip"),
        ("method.generation=blocks", "method.generation=blocks needs"),
        ("method.generation=free_noise", "method.generation=free_noise: a single film is made clip by clip"),
    ],
)
def test_a_method_that_a_single_film_is_not_made_by_is_refused(
    tmp_path: Path, asked: list[str], method: str, said: str
) -> None:
    done = harness(*asked, method, store=tmp_path / "runs")
    assert done.returncode == 2
    assert said in done.stderr


def test_what_is_cut_of_a_portrait_is_said_with_a_size_that_keeps_it(tmp_path: Path) -> None:
    Image.new("RGB", (1080, 1920)).save(tmp_path / "start.png")
    wan = Settings(backbone=BackboneSettings(name="folder"), data=DataSettings(height=480, width=832))
    assert list(_cut(tmp_path / "start.png", Model(wan))) == [
        "--image is 1080 x 1920 pixels, the film 832 x 480: rows 648 to 1270 of 1920 are kept, the other 68 % are cut",
        "for the whole image, make a film of its shape: data.height=848 data.width=480",
    ]
    Image.new("RGB", (1664, 960)).save(tmp_path / "start.png")
    assert list(_cut(tmp_path / "start.png", Model(wan))) == []
