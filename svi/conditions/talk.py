"""Sound as a signal: what SVI-Talk's films follow."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from svi.conditions.audio import KEY, AudioAdapter, clip
from svi.conditions.multitalk import load_multitalk
from svi.conditions.sound import check_length, levelled, possible_frames, read_sound, write_sound
from svi.conditions.speech import CONFIG, Speech
from svi.data import talking
from svi.data.samples import SOUND, SPEECH, read_speech
from svi.foreign import read_object
from svi.settings import DataSettings

WAV = ".wav"


class Heard:
    """A film's sound as wav2vec2 hears it, or as the embedded world's model does (protocol: svi.course.Course)."""

    key = KEY

    def __init__(self, film: Tensor, file: Path) -> None:
        """film [F, layers, channels]"""
        self._film, self._file = film, file

    def clip(self, start: int, frames: int) -> Tensor:
        return clip(self._film, start, frames)

    def keep(self, file: Path) -> Path | None:
        """A wav is heard as it is, of anything else what was listened to: of a video, the sound from its first picture on. The
        authors' features come without their sound: None."""
        if self._file.suffix == WAV:
            return self._file if self._file.is_file() else None
        wav = file.with_name(f"{file.name}{WAV}")
        write_sound(wav, read_sound(self._file))
        return wav


class Audio:
    """A sound (protocol: svi.conditions.signal.Signal)."""

    key = KEY

    def __init__(self, encoder: Path | None = None, weights: Path | None = None) -> None:
        """`encoder`: a folder with a wav2vec2, none: the embedded model's four bands; `weights`: MultiTalk's file."""
        self.encoder, self.weights = encoder, weights

    @classmethod
    def of(cls, settings: Any) -> "Audio":
        condition = settings.condition
        return cls(*(None if path is None else Path(path) for path in (condition.encoder, condition.weights)))

    def attach(self, wan: Any, frames_a_latent: int, side: int) -> None:
        """Raises ValueError as `load_multitalk` does."""
        if self.encoder is None:
            AudioAdapter(1, talking.CHANNELS, frames_a_latent, hidden=64, tokens=4, width=64).attach(wan)
        else:
            about = read_object(self.encoder / CONFIG)
            AudioAdapter(about["num_hidden_layers"], about["hidden_size"], frames_a_latent).attach(wan)
        if self.weights is not None:
            load_multitalk(wan, self.weights)

    def frames(self, sample: Path, data: DataSettings) -> int:
        """All that sound, as `course` finds it. Raises ValueError as `read_sound` and `read_speech` do."""
        speech = self._speech(sample)
        return possible_frames(read_sound(_sound(sample)), data.fps) if speech is None else len(read_speech(speech))

    def course(self, sample: Path, frames: int, data: DataSettings) -> Heard:
        """Of audio.wav, or of what `harness data talk` made of it; of a file with sound that is given alone. Raises ValueError for
        files that are missing, cannot be read, or end before the film."""
        speech = self._speech(sample)
        if speech is not None:
            return Heard(_long_enough(read_speech(speech), frames, speech), sample / SOUND)
        sound = _sound(sample)
        samples = read_sound(sound)
        check_length(sound, samples, frames, data.fps)
        if self.encoder is None:
            return Heard(torch.from_numpy(talking.features(samples, data.fps)), sound)
        return Heard(Speech(self.encoder).film(levelled(samples), data.fps), sound)

    def _speech(self, sample: Path) -> Path | None:
        """What wav2vec2 has heard already."""
        speech = sample / SPEECH
        return speech if self.encoder is not None and speech.is_file() else None


def _sound(sample: Path) -> Path:
    sound = sample if sample.is_file() else sample / SOUND
    if not sound.is_file():
        raise ValueError(f"{sample} has no sound; expected {SOUND} beside its image")
    return sound


def _long_enough(film: Tensor, frames: int, file: Path) -> Tensor:
    if len(film) < frames:
        raise ValueError(
            f"{file}: received features of {len(film)} frames, expected {frames}; ask for at most {len(film)}"
        )
    return film
