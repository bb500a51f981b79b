"""`harness generate --follow`: prompts are told while the film is made."""

import os
import shutil
import signal
import subprocess
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from PIL import Image

from harness.core.store import Store
from tests.harness.finished import finished
from tests.harness.small import ROOT, SMALL, command, environment, harness
from tests.harness.waiting import until
from tests.svi.films import decoded

WORDS = ("east", "north", "west")
TOLD = [f"red disc slowly {word} sand stripes\n" for word in WORDS]


@pytest.fixture
def asked(tmp_path: Path) -> list[str]:
    """The words of a command for a film; its store has a base model."""
    Image.new("RGB", (16, 16), (200, 40, 90)).save(tmp_path / "start.png")
    (tmp_path / "prompts.txt").write_text("")
    shutil.copytree(finished(), tmp_path / "runs")
    image, prompts = (str(tmp_path / name) for name in ("start.png", "prompts.txt"))
    return ["generate", str(tmp_path / "out.mp4"), "--image", image, "--prompts", prompts, *SMALL]


def at_once(root: Path, asked: list[str], told: list[str]) -> bytes:
    """The film of these prompts, made in a store of its own."""
    (root / "prompts.txt").write_text("".join(told))
    shutil.copytree(finished(), root / "alone")
    done = harness(*asked, "generate.after_prompts=stop", store=root / "alone")
    assert done.returncode == 0, done.stderr
    return (root / "out.mp4").read_bytes()


def takes(root: Path) -> int:
    """Clips of the film that are there."""
    return len([one for one in (root / "runs" / "takes").glob("*") if not one.name.startswith(".")])


def add(root: Path, line: str) -> None:
    with (root / "prompts.txt").open("a") as file:
        file.write(line)


@pytest.mark.parametrize("stream", [False, True])
def test_a_film_whose_prompts_are_told_is_the_one_of_all_at_once(
    tmp_path: Path, asked: list[str], stream: bool
) -> None:
    """Two clips a prompt; each is there before the next prompt is."""
    seen = list[int]()

    def tell() -> None:
        for i, line in enumerate(TOLD):
            until(lambda i=i: takes(tmp_path) == 2 * i)
            if stream and i:
                seen.append(len(decoded(tmp_path / "out.mp4")))
            add(tmp_path, line)
        add(tmp_path, "# end\n")

    teller = Thread(target=tell)
    teller.start()
    done = harness(*asked, "--follow", "300", *(["--stream"] if stream else []), store=tmp_path / "runs")
    teller.join()
    assert done.returncode == 0, done.stderr
    assert takes(tmp_path) == 6
    if stream:
        assert seen[0] < seen[1] < 25
    followed = (tmp_path / "out.mp4").read_bytes()
    assert followed == at_once(tmp_path, asked, TOLD)
    store = Store(tmp_path / "runs")
    assert [*store.manifests("told"), *(store.root / "partial").glob("*")] == []


def test_it_waits_no_longer_than_it_is_told_and_goes_on_later(tmp_path: Path, asked: list[str]) -> None:
    add(tmp_path, TOLD[0])
    done = harness(*asked, "--follow", "0.1", store=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert takes(tmp_path) == 2
    add(tmp_path, TOLD[1].rstrip("\n"))
    done = harness(*asked, "--follow", "0.1", "--seconds", "6", store=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert takes(tmp_path) == 3  # of its four clips, as long as the film is to be
    assert len(decoded(tmp_path / "out.mp4")) == 12


@pytest.mark.parametrize(
    ("told", "words", "said"),
    [
        ("", (), "no clip was made, so there is no film"),
        ('["red disc"]', (), "holds a list, which cannot grow line by line"),
        (TOLD[0], ("generate.prompts=first",), "one prompt is for all clips"),
        (TOLD[0], ("generate.detector=statistics",), "depends on those after it"),
    ],
)
def test_what_cannot_be_followed_is_refused(
    tmp_path: Path, asked: list[str], told: str, words: tuple[str, ...], said: str
) -> None:
    (tmp_path / "prompts.txt").write_text(told)
    done = harness(*asked, "--follow", "0.1", *words, store=tmp_path / "runs")
    assert done.returncode == 2
    assert said in done.stderr
    assert takes(tmp_path) == 0


@pytest.mark.slow
def test_ctrl_c_ends_the_film_with_the_clips_that_are_there(tmp_path: Path, asked: list[str]) -> None:
    """While it waits for another prompt."""
    add(tmp_path, TOLD[0])
    words = command(*asked, "--follow", "300", store=tmp_path / "runs")
    with subprocess.Popen(
        words,
        cwd=ROOT,
        env=environment(),
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        until(lambda: takes(tmp_path) == 2)
        os.killpg(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=120)
    assert running.returncode == 0, err
    assert out.strip() == str(tmp_path / "out.mp4")
    film = (tmp_path / "out.mp4").read_bytes()
    assert film == at_once(tmp_path, asked, TOLD[:1])
    assert np.ptp(decoded(tmp_path / "out.mp4")) > 0
