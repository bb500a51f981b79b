"""Sound as a signal: what SVI-Talk's films follow."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from svi.conditions.audio import KEY, AudioAdapter, clip
from svi.conditions.multitalk import load_multitalk
from svi.conditions.sound import check_length, levelled, read_sound
from svi.conditions.speech import CONFIG, Speech
from svi.data import talking
from svi.foreign import read_object
from svi.settings import DataSettings

SOUND = "audio.wav"  # of a sample


class Heard:
    """A film's sound as wav2vec2 hears it, or as the embedded world's model does (protocol: svi.course.Course)."""

    key = KEY

    def __init__(self, film: Tensor, file: Path) -> None:
        """film [F, layers, channels]"""
        self._film, self._file = film, file

    def clip(self, start: int, frames: int) -> Tensor:
        return clip(self._film, start, frames)

    def keep(self, file: Path) -> Path:
        return self._file


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

    def course(self, sample: Path, frames: int, data: DataSettings) -> Heard:
        """Of audio.wav. Raises ValueError for a file that is missing, cannot be read, or ends before the film."""
        file = sample / SOUND
        if not file.is_file():
            raise ValueError(f"{sample} has no sound; expected {SOUND} beside its image")
        samples = read_sound(file)
        check_length(file, samples, frames, data.fps)
        if self.encoder is None:
            return Heard(torch.from_numpy(talking.features(samples, data.fps)), file)
        return Heard(Speech(self.encoder).film(levelled(samples), data.fps), file)
