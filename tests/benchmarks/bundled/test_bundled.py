"""The samples that come with the harness: their files, their stories, and that the script draws them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.bundled import paint
from benchmarks.bundled.draw import PICTURES
from benchmarks.samples import BUNDLED, load_samples, samples_folder
from benchmarks.track import TRACKS, prompts_for

ROOT = Path(__file__).parents[3]
NAMES = ["hot_air_balloon", "lighthouse", "red_fox", "sailing_boat"]
SUBJECTS = {"hot_air_balloon": "balloon", "lighthouse": "lighthouse", "red_fox": "fox", "sailing_boat": "boat"}


def drawn(name: str) -> np.ndarray:
    return np.asarray(paint.finished(PICTURES[name]()), float)


def committed(name: str) -> np.ndarray:
    return np.asarray(Image.open(samples_folder(BUNDLED) / name / "frame.jpg"), float)


def test_all_of_them_are_usable_on_every_track():
    for track in TRACKS.values():
        samples, skipped = load_samples(BUNDLED, track)
        assert ([sample.name for sample in samples], skipped) == (NAMES, [])
    for sample in samples:
        assert sample.image.stat().st_size < 80_000
        assert Image.open(sample.image).size == (832, 480)


@pytest.mark.parametrize("name", NAMES)
def test_a_story_has_50_prompts_that_each_name_its_subject(name):
    sample = next(sample for sample in load_samples(BUNDLED)[0] if sample.name == name)
    assert len(set(sample.prompts)) == len(sample.prompts) == 50
    for prompt in sample.prompts:
        assert SUBJECTS[name] in prompt.lower(), prompt
        assert prompt.endswith(".")
        assert prompt.count(". ") <= 1, prompt
        assert prompt.isascii()
    assert prompts_for(TRACKS["creative-250s"], sample.prompts, 50) == sample.prompts


@pytest.mark.parametrize("name", NAMES)
def test_the_script_draws_the_committed_picture(name, monkeypatch):
    """On a smaller canvas, which is quick and differs by its edges alone."""
    monkeypatch.setattr(paint, "SCALE", 1)
    again = drawn(name)
    assert again.shape == (480, 832, 3)
    assert np.abs(again - committed(name)).mean() < 4
    assert np.abs(again - committed(NAMES[NAMES.index(name) - 1])).mean() > 20


def test_the_same_numbers_give_the_same_picture(monkeypatch):
    monkeypatch.setattr(paint, "SCALE", 1)
    assert np.array_equal(drawn("sailing_boat"), drawn("sailing_boat"))


@pytest.mark.slow
def test_the_command_writes_samples(tmp_path):
    subprocess.run([sys.executable, "-m", "benchmarks.bundled.draw", str(tmp_path)], cwd=ROOT, check=True)
    samples, skipped = load_samples(tmp_path)
    assert ([sample.name for sample in samples], skipped) == (NAMES, [])
    for sample, ours in zip(samples, load_samples(BUNDLED)[0], strict=True):
        assert sample.prompts == ours.prompts
        assert np.abs(np.asarray(Image.open(sample.image), float) - committed(sample.name)).mean() < 1


def test_the_command_says_what_it_needs():
    done = subprocess.run([sys.executable, "-m", "benchmarks.bundled.draw"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2
    assert "draw OUT" in done.stderr
