"""`harness generate` beside a finished experiment."""

import shutil
from pathlib import Path

import pytest
from PIL import Image

from harness.core.store import Store
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
    assert (tmp_path / "out.mp4").is_file()
