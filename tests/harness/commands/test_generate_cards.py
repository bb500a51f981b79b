"""`harness generate --cards`: several ranks compute each clip together."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from harness.core.store import Store
from svi.generation.video import read_lossless
from tests.harness.finished import finished
from tests.harness.small import SMALL, harness


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """The words of a command for a film of two clips."""
    Image.new("RGB", (16, 16), (200, 40, 90)).save(tmp_path / "start.png")
    (tmp_path / "prompts.txt").write_text("red disc slowly east sand stripes")
    image, prompts = (str(tmp_path / name) for name in ("start.png", "prompts.txt"))
    return ["generate", str(tmp_path / "out.mp4"), "--image", image, "--prompts", prompts, "--seconds", "4", *SMALL]


@pytest.mark.slow
def test_two_ranks_make_the_film_of_one(tmp_path: Path, asked: list[str]) -> None:
    """By DeepSpeed's launcher and gloo, on the CPU; guided, so that a transformer is asked twice a step."""
    found = {}
    for cards in (1, 2):
        store = tmp_path / f"runs-{cards}"
        shutil.copytree(finished(), store)
        done = harness(*asked, "--cards", str(cards), "generate.guidance=3", store=store)
        assert done.returncode == 0, done.stderr
        links = {file.stat().st_mtime_ns: file for file in (store / "takes").glob("*/past.npz")}
        found[cards] = [read_lossless(links[when].with_name("frames.mkv")) for when in sorted(links)]
        found[cards, "latents"] = [np.load(links[when])["latents"] for when in sorted(links)]
        [manifest] = Store(store).manifests("film")
        assert manifest["identity"].get("cards", 1) == cards
        log = store.joinpath("artifacts", "film", manifest["signature"][:16], "log.txt").read_text()
        assert ("enable_parallelism" in log) == (cards == 2)  # diffusers says so
    assert len(found[1]) == len(found[2]) == 2
    for one, two in zip(found[1, "latents"], found[2, "latents"], strict=True):
        assert np.abs(one - two).max() < 1e-4
    for one, two in zip(found[1], found[2], strict=True):
        assert np.abs(one.astype(int) - two).max() <= 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("speed.cache=first_block",), "not with speed.cache=first_block"),
        (("--follow", "3"), "is made by one card"),
        (("method.generation=free_noise",), "not with method.generation=free_noise"),
    ],
)
def test_what_cards_cannot_share_is_refused(
    tmp_path: Path, asked: list[str], words: tuple[str, ...], said: str
) -> None:
    done = harness(*asked, "--cards", "2", *words, store=tmp_path / "runs")
    assert done.returncode == 2
    assert said in done.stderr
