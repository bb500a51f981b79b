"""Talk, dance and a signal of one's own on a real Wan of random weights, by commands: samples, training, films that follow."""

import shutil
from collections.abc import Callable
from pathlib import Path

import av
import pytest
from PIL import Image
from safetensors.torch import load_file

from harness.commands.data import make_dance, make_talk
from tests.guide import written
from tests.harness.commands.wan_words import WORDS
from tests.harness.small import harness
from tests.harness.wan import wan
from tests.svi.conditions.poses import SHARED as DANCER
from tests.svi.conditions.sounds import SPEECH, tone, write_sound, write_wav2vec2
from tests.svi.preparation.sources import greys, write_video

REAL = pytest.mark.skipif(not SPEECH.is_dir(), reason="no sample data beside the checkout")
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
    words = ["--recipe", "svi-talk", f"condition.encoder={model}", "train.with_signal=true"]
    return ["ablation_talk", "--only", "full,no_signal", *words]


def dance(root: Path) -> list[str]:
    (root / "in" / "one").mkdir(parents=True)
    write_video(root / "in" / "one" / "video.mp4", greys(40))
    write_video(root / "in" / "one" / "dwpose.mp4", greys(40))
    make_dance(root / "in", root / "made", 25)
    write_video(root / "samples" / "one" / "pose.mp4", greys(60))
    return ["ablation_dance", "--only", "full,no_signal", "--recipe", "svi-dance"]


def real_talk(root: Path) -> list[str]:
    """A real video, and real speech: in stereo, and shorter than the video."""
    [speech], video = SPEECH.glob("*.wav"), next(SPEECH.parent.glob("train/*/*.mp4"))
    (root / "in").mkdir()
    shutil.copy(video, root / "in" / "one.mp4")
    shutil.copy(speech, root / "in" / "one.wav")
    model = write_wav2vec2(root / "wav2vec2")
    make_talk(root / "in", root / "made", model)
    shutil.copy(speech, root / "samples" / "one" / "audio.wav")
    shutil.copy(SPEECH.parent / "test" / "shot" / "frame.jpg", root / "samples" / "one")
    words = ["--recipe", "svi-talk", f"condition.encoder={model}", "train.with_signal=true"]
    return ["ablation_talk", "--only", "full,no_signal", *words]


def real_dance(root: Path) -> list[str]:
    """Real skeletons, of 24 frames a second. Their dancer's own video is not there: they are the pictures, too."""
    (root / "in" / "one").mkdir(parents=True)
    for name in ("video.mp4", "dwpose.mp4"):
        shutil.copy(DANCER / "pose.mp4", root / "in" / "one" / name)
    make_dance(root / "in", root / "made", 25)
    shutil.copy(DANCER / "pose.mp4", root / "samples" / "one")
    shutil.copy(DANCER / "image.png", root / "samples" / "one" / "frame.png")
    return ["ablation_dance", "--only", "full,no_signal", "--recipe", "svi-dance"]


def own(root: Path) -> list[str]:
    """The signal of docs/extend.md, whose samples are laid out by hand."""
    (root / "made" / "one").mkdir(parents=True)
    write_video(root / "made" / "one" / "video.mp4", greys(40))
    for folder, count in ((root / "made" / "one", 20), (root / "samples" / "one", 25)):
        (folder / "level.txt").write_text("\n".join(map(str, range(count))))
    signal = f"condition.signal={written(root, 'my_signal.py') / 'my_signal.py'}:Level"
    return ["ablation_eimg", "--only", "base,full", signal, "train.with_signal=true"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("made", "kept"),
    [
        (talk, None),
        (dance, "one.pose.mp4"),
        (own, "one.level.txt"),
        pytest.param(real_talk, None, marks=REAL),
        pytest.param(real_dance, "one.pose.mp4", marks=REAL),
    ],
)
def test_samples_training_and_films(made: Callable[[Path], list[str]], kept: str | None, tmp_path: Path) -> None:
    """A LoRA is trained once, with what the signal adds beside it; there are two films, and what they follow beside them."""
    sample = tmp_path / "samples" / "one"
    sample.mkdir(parents=True)
    Image.new("RGB", (96, 64), (90, 120, 40)).save(sample / "frame.png")
    (sample / "prompt.txt").write_text('prompts = ["somebody"]')
    (tmp_path / "track.py").write_text(SHORT)
    (tmp_path / "wav2vec2").mkdir()
    words = [*made(tmp_path), *(word for word in WORDS if word != "data.fps=4"), "data.width=48"]
    done = harness(
        "run", *words, "--profile", "folder", "data.fps=25", "generate.fps=25",
        f"backbone.weights={wan('wan2.1-i2v')}",
        f"tracks={tmp_path / 'track.py'}:SHORT", f"data.path={tmp_path / 'made'}", f"eval.path={tmp_path / 'samples'}",
        store=tmp_path / "runs",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    films = sorted((tmp_path / "runs" / "artifacts" / "generate").glob("*/videos/*.mp4"))
    assert len(films) == 2
    for film in films:
        with av.open(str(film)) as container:
            assert len([*container.decode(video=0)]) == 50
            assert bool(container.streams.audio) == (made in (talk, real_talk))
    followed = [*(tmp_path / "runs" / "artifacts" / "generate").glob("*/signals/*")]
    assert [file.name for file in followed] == ([kept] * 2 if kept else [])
    [weights] = (tmp_path / "runs" / "artifacts" / "train").glob("*/lora/extra.safetensors")
    assert any(x.any() for x in load_file(weights).values())
