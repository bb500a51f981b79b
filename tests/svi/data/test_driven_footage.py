"""Training clips with what they follow, of samples with sound or skeletons."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from svi.conditions.audio import clip as heard
from svi.conditions.pose import open_pose
from svi.data.driven_footage import DrivenFootage
from svi.data.samples import POSE, PROMPT, SPEECH, VIDEO, read_speech, sample_files, write_speech
from svi.settings import DataSettings
from tests.svi.preparation.sources import features, greys, write_video

SETTINGS = DataSettings(clip_frames=5, height=16, width=16, fps=25, hop=5, hold_back=0.25)


@dataclass
class Heard:
    """A sample's speech as films hear it."""

    film: Tensor
    key: str = "audio"

    @classmethod
    def of(cls, sample: Path, frames: int) -> "Heard":
        film = read_speech(sample / SPEECH)
        if len(film) < frames:
            raise ValueError(f"{sample / SPEECH} holds {len(film)} frames, the film {frames}")
        return cls(film[:frames])

    def clip(self, start: int, frames: int) -> Tensor:
        return heard(self.film, start, frames)

    def keep(self, file: Path) -> None:
        raise NotImplementedError


@dataclass
class Seen:
    """A sample's skeletons."""

    sample: Path
    frames: int
    key: str = "pose"

    def __post_init__(self) -> None:
        self.pose = open_pose(self.sample / POSE, self.frames, SETTINGS)

    def clip(self, start: int, frames: int) -> Tensor:
        return self.pose.clip(start, frames)

    def keep(self, file: Path) -> None:
        raise NotImplementedError


def sample(root: Path, name: str, frames: int = 40, caption: str = "A man.") -> Path:
    folder = root / name
    folder.mkdir(parents=True)
    write_video(folder / VIDEO, greys(frames))
    write_video(folder / POSE, greys(frames)[::-1])
    write_speech(folder / SPEECH, features(frames, 2, 3).transpose(0, 1))
    (folder / PROMPT).write_text(f"{caption}\n")
    return folder


def level(frames: np.ndarray | Tensor) -> list[float]:
    return np.asarray(frames, np.float64).mean(axis=(1, 2, 3)).tolist()


def close(found: Sequence[float], expected: Sequence[int]) -> bool:
    return bool(np.abs(np.array(found) - np.array(expected)).max() < 4)


def test_each_clip_comes_with_what_is_heard_in_it(tmp_path: Path) -> None:
    for name in ("a", "b"):
        sample(tmp_path, name)
    footage = DrivenFootage(tmp_path, SETTINGS, Heard.of)
    assert (len(footage), footage.files, footage.skipped) == (12, 2, [])
    for i in (0, 1, 5, 6, 11, 2):
        read = footage.read(i)
        start = i % 6 * 5
        assert read.prompt == "A man."
        assert close(level(read.frames), greys(40)[start : start + 5])
        rows = [max(frame, 0) for frame in range(start - 2, start + 7)]
        assert torch.equal(read.signals["audio"], features(40, 2, 3).transpose(0, 1)[rows])
    later = footage.later(1, footage.room(1))
    assert close(level(later.frames), greys(40)[25:30])
    assert torch.equal(later.signals["audio"], features(40, 2, 3).transpose(0, 1)[23:32])


def test_each_clip_comes_with_its_skeletons(tmp_path: Path) -> None:
    sample(tmp_path, "a")
    footage = DrivenFootage(tmp_path, SETTINGS, Seen)
    read = footage.read(3)
    assert read.signals["pose"].shape == (5, 16, 16, 3)
    assert read.signals["pose"].dtype == torch.uint8
    assert close(level(read.signals["pose"]), greys(40)[::-1][15:20])


def test_samples_whose_signal_is_missing_short_or_damaged_are_skipped(tmp_path: Path) -> None:
    sample(tmp_path, "good")
    (sample(tmp_path, "missing") / SPEECH).unlink()
    write_speech(sample(tmp_path, "short") / SPEECH, features(30, 2, 3).transpose(0, 1))
    (sample(tmp_path, "damaged") / SPEECH).write_bytes(b"no tensors")
    write_speech(sample(tmp_path, "other") / SPEECH, torch.zeros(40, 3))
    sample(tmp_path, "brief", frames=4)
    footage = DrivenFootage(tmp_path, SETTINGS, Heard.of)
    assert footage.files == 1
    said = dict(footage.skipped)
    assert list(said) == ["brief", "damaged", "missing", "other", "short"]
    assert "too short: 4 frames" in said["brief"]
    assert "holds 30 frames, the film 40" in said["short"]
    assert "make them with `harness data talk`" in said["missing"]
    assert "expected float32 [frames, layers, channels]" in said["other"]


def test_the_fingerprint_is_of_signals_and_captions_too(tmp_path: Path) -> None:
    folder = sample(tmp_path, "a")
    (folder / "made.json").write_text("{}")
    first = DrivenFootage(tmp_path, SETTINGS, Heard.of).fingerprint
    (folder / "made.json").write_text('{"when": "later"}')
    assert DrivenFootage(tmp_path, SETTINGS, Heard.of).fingerprint == first
    write_speech(folder / SPEECH, features(50, 2, 3).transpose(0, 1))
    second = DrivenFootage(tmp_path, SETTINGS, Heard.of).fingerprint
    (folder / PROMPT).write_text("A woman.\n")
    third = DrivenFootage(tmp_path, SETTINGS, Heard.of).fingerprint
    assert len({first, second, third}) == 3


def test_folders_that_are_no_samples_are_said(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="holds no samples; expected a folder a sample"):
        sample_files(tmp_path)
    (sample(tmp_path, "a") / PROMPT).unlink()
    assert [(file.name, file.prompt, file.captioned) for file in sample_files(tmp_path)] == [("a", "A video", False)]
    (tmp_path / "a" / PROMPT).write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="save it as UTF-8"):
        sample_files(tmp_path)
