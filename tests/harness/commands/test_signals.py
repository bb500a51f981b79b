"""Talk and dance on a real Wan of random weights, as commands do it: samples made, trained on, and films that follow."""

from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image

from harness.commands.data import make_dance, make_talk
from tests.harness.commands.wan_words import WORDS
from tests.harness.small import harness
from tests.harness.wan import wan
from tests.svi.conditions.sounds import tone, write_sound, write_wav2vec2
from tests.svi.preparation.sources import greys, write_video

SHORT = """
from harness import Track

SHORT = Track("short-2s", "consistent", 2.0, 1, "Two seconds.")
"""


def talk(root: Path) -> list[str]:
    """What an experiment is told beside its samples, which are made here."""
    (root / "in").mkdir()
    write_video(root / "in" / "whole.mp4", greys(40), sound=tone(2))
    model = write_wav2vec2(root / "wav2vec2")
    make_talk(root / "in", root / "made", model)
    write_sound(root / "samples" / "one" / "audio.wav", tone(3.0, 44_100), 44_100)
    return ["ablation_talk", "--recipe", "svi-talk", f"condition.encoder={model}"]


def dance(root: Path) -> list[str]:
    (root / "in" / "one").mkdir(parents=True)
    write_video(root / "in" / "one" / "video.mp4", greys(40))
    write_video(root / "in" / "one" / "dwpose.mp4", greys(40))
    make_dance(root / "in", root / "made", 25)
    write_video(root / "samples" / "one" / "pose.mp4", greys(60))
    return ["ablation_dance", "--recipe", "svi-dance"]


@pytest.mark.slow
@pytest.mark.parametrize("made", [talk, dance])
def test_samples_training_and_films(made: Callable[[Path], list[str]], tmp_path: Path) -> None:
    sample = tmp_path / "samples" / "one"
    sample.mkdir(parents=True)
    Image.new("RGB", (96, 64), (90, 120, 40)).save(sample / "frame.png")
    (sample / "prompt.txt").write_text('prompts = ["somebody"]')
    (tmp_path / "track.py").write_text(SHORT)
    (tmp_path / "wav2vec2").mkdir()
    words = [*made(tmp_path), *(word for word in WORDS if word != "data.fps=4"), "data.width=48"]
    done = harness(
        "run", *words, "--profile", "folder", "data.fps=25", "generate.fps=25",
        "--only", "full,no_signal", f"backbone.weights={wan('wan2.1-i2v')}",
        f"tracks={tmp_path / 'track.py'}:SHORT", f"data.path={tmp_path / 'made'}", f"eval.path={tmp_path / 'samples'}",
        store=tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    films = sorted((tmp_path / "runs" / "artifacts" / "generate").glob("*/videos/*.mp4"))
    assert len(films) == 2
    for film in films:
        with av.open(str(film)) as container:
            assert len([*container.decode(video=0)]) == 50
            assert bool(container.streams.audio) == (made is talk)
    followed = [*(tmp_path / "runs" / "artifacts" / "generate").glob("*/signals/*")]
    assert all(file.name == "one.pose.mp4" for file in followed)
    assert bool(followed) == (made is dance)
    weights = [*(tmp_path / "runs" / "artifacts" / "train").glob("*/lora/adapter_model.safetensors")]
    assert len(weights) == 1
