"""Samples of talking people: pictures at 25 a second, the sound, and what wav2vec2 makes of it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from svi.conditions.sound import RATE, levelled, possible_frames, read_sound, write_sound
from svi.conditions.speech import Speech
from svi.data.folder import VIDEO_SUFFIXES, video_files
from svi.data.pickles import read_pickled
from svi.data.samples import SOUND, SPEECH, SPEECH_FPS, VIDEO, write_speech
from svi.preparation.pictures import jpeg_pictures, keep, open_jpegs, open_video
from svi.preparation.source import CUT, Made, prompt_beside

FPS = Fraction(SPEECH_FPS)  # and so of the pictures
FRAMES, FEATURES = "frame_data.pkl", "audio_embedding.pkl"
CAPTION = "the person is speaking"  # SVI-Talk's, for all its samples
SOUNDS = "audios"  # the authors' folder of sounds, beside that of videos
LAYOUT = f"videos with sound (or NAME.wav beside NAME.mp4), or the authors' folders with {FRAMES} and {FEATURES}"


@dataclass(frozen=True)
class TalkVideo:
    """A video, and the file its sound is in."""

    name: str
    video: Path
    sound: Path
    prompt: str
    speech: Speech
    how: Mapping[str, Any]

    @property
    def files(self) -> Sequence[Path]:
        """Without the sound's twice where it is the video's own."""
        return list(dict.fromkeys([self.video, self.sound]))

    def make(self, folder: Path) -> Made:
        """As long as both. Raises ValueError for a video without pictures or sound."""
        pictures, samples = open_video(self.video, FPS), read_sound(self.sound)
        count = min(pictures.count, possible_frames(samples, float(FPS)))
        if not count:
            raise ValueError(
                f"{self.sound}: received {len(samples) / RATE:.3f} s of sound, expected a frame's at least"
            )
        film = self.speech.film(levelled(samples), float(FPS))[:count].clone()
        keep(pictures, count, FPS, folder / VIDEO)
        write_speech(folder / SPEECH, film)
        write_sound(folder / SOUND, samples[: count * RATE // int(FPS)])
        return _made(count, pictures.count, len(samples) / RATE)


@dataclass(frozen=True)
class TalkPickles:
    """The authors' folder of a sample; its sound is not in it."""

    name: str
    folder: Path

    @property
    def files(self) -> Sequence[Path]:
        """Both pickles."""
        return [self.folder / FRAMES, self.folder / FEATURES]

    @property
    def how(self) -> Mapping[str, Any]:
        """In one way alone."""
        return {}

    @property
    def prompt(self) -> str:
        """Beside them, else the authors'."""
        return prompt_beside(self.folder, CAPTION)

    def make(self, folder: Path) -> Made:
        """As long as both. Raises ValueError for pickles of anything else."""
        file = self.folder / FRAMES
        pictures = jpeg_pictures(file, list(open_jpegs(file).values()), FPS)
        film = authors_features(self.folder / FEATURES)
        count = min(pictures.count, len(film))
        keep(pictures, count, FPS, folder / VIDEO)
        write_speech(folder / SPEECH, film[:count])
        return _made(count, pictures.count, len(film) / float(FPS))


def talk_sources(root: Path, wav2vec2: Path | None) -> tuple[list[TalkVideo | TalkPickles], list[tuple[str, str]]]:
    """What a folder holds, by name, and what of it lacks a part, with the reason. `wav2vec2`: the model that listens to videos.

    Raises ValueError for a folder of nothing known, and, where there are videos, for no model or one that cannot be read.
    """
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder; expected one with {LAYOUT}")
    sources: list[TalkVideo | TalkPickles] = []
    lacking = []
    for folder in sorted({file.parent for name in (FRAMES, FEATURES) for file in root.glob(f"*/{name}")}):
        if absent := [name for name in (FRAMES, FEATURES) if not (folder / name).is_file()]:
            lacking.append((folder.name, f"{folder} lacks {absent[0]}, expected both {FRAMES} and {FEATURES}"))
        else:
            sources.append(TalkPickles(folder.name, folder))
    if any(file.suffix.lower() in VIDEO_SUFFIXES for depth in ("*", "*/*") for file in root.glob(depth)):
        sources += _videos(root, wav2vec2)
    if not sources and not lacking:
        raise ValueError(f"{root} holds nothing to make samples of; expected {LAYOUT}")
    return sources, lacking


def _videos(root: Path, wav2vec2: Path | None) -> Iterator[TalkVideo]:
    """Those of the folder and of its categories, each with its sound."""
    files = video_files(root)
    if wav2vec2 is None:
        raise ValueError(
            f"{root} holds {len(files)} videos, whose sound a wav2vec2 model must listen to; name its folder, in transformers' "
            "layout (such as TencentGameMate/chinese-wav2vec2-base): --wav2vec2 FOLDER"
        )
    speech = Speech(wav2vec2)
    how = {"wav2vec2": {file.name: file.stat().st_size for file in sorted(wav2vec2.iterdir()) if file.is_file()}}
    for file in files:
        name = file.name.removesuffix(file.path.suffix).replace("/", "-")
        yield TalkVideo(name, file.path, _sound_of(file.path), file.prompt if file.captioned else CAPTION, speech, how)


def authors_features(file: Path) -> Tensor:
    """The authors' audio_embedding.pkl, [layers, T, channels] in 25 columns a second -> [T, layers, channels] float32.

    Raises ValueError for anything else; nothing in the file is run.
    """
    found = read_pickled(file)
    if not isinstance(found, np.ndarray) or found.ndim != 3 or found.dtype.kind != "f" or not found.size:
        received = f"{found.dtype} {list(found.shape)}" if isinstance(found, np.ndarray) else type(found).__name__
        raise ValueError(f"{file}: received {received}, expected numbers [layers, frames, channels] of wav2vec2")
    if not np.isfinite(found).all():
        raise ValueError(f"{file}: received features that are no numbers (NaN or infinite); make them again")
    return torch.from_numpy(found.transpose(1, 0, 2).astype(np.float32, order="C"))


def _sound_of(video: Path) -> Path:
    """A wav of the same name, beside the video or in the authors' folder; else the video itself."""
    beside = [video.with_suffix(".wav"), video.parent.parent / SOUNDS / f"{video.stem}.wav"]
    return next((file for file in beside if file.is_file()), video)


def _made(count: int, pictures: int, sound: float) -> Made:
    """What a person should know: that one of them ends before the other."""
    seen, note = pictures / float(FPS), ""
    if seen - sound > CUT:
        note = f"the sound ends {seen - sound:.2f} s before the pictures, which are cut there"
    elif sound - seen > CUT:
        note = f"the pictures end {sound - seen:.2f} s before the sound, which is cut there"
    return Made(count, count / float(FPS), note)
