"""Sounds as files, films in the making to go with them, and what is heard of films."""

import wave
from pathlib import Path

import av
import numpy as np

from svi.generation.video import write_mp4


def bursts(seconds: float, rate: int, every: float = 1.0, seed: int = 0) -> np.ndarray:
    """A tenth of a second of noise, another each time, and silence until the next; float64 [S]."""
    sound, generator = np.zeros(round(seconds * rate)), np.random.default_rng(seed)
    for begin in np.arange(0, seconds, every):
        part = sound[round(begin * rate) :][: rate // 10]
        part[:] = 0.3 * generator.standard_normal(len(part)).clip(-3, 3)
    return sound


def write_wav(file: Path, sound: np.ndarray, rate: int) -> Path:
    """Sound [S] or, of several channels, [S, C], from -1 to 1, as 16 bits."""
    with wave.open(str(file), "wb") as written:
        written.setparams((1 if sound.ndim == 1 else sound.shape[1], 2, rate, 0, "NONE", ""))
        written.writeframes((sound * 32767).round().astype("<i2").tobytes())
    return file


def heard(file: Path) -> tuple[np.ndarray, int]:
    """What a player hears of a film or a wav, mono, float32 [S] up to the end that its header tells, and its rate."""
    with av.open(str(file)) as container:
        track = container.streams.audio[0]
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=track.rate)
        parts = [part.to_ndarray()[0] for frame in container.decode(track) for part in resampler.resample(frame)]
        decoded = np.concatenate(parts)
        return decoded[: round(track.duration * track.time_base * track.rate)], track.rate


def lag(found: np.ndarray, sound: np.ndarray) -> int:
    """By how many samples `found` comes later than `sound`, both [S], where they agree best."""
    size = len(found) + len(sound)
    across = np.fft.irfft(np.fft.rfft(found, size) * np.conj(np.fft.rfft(sound, size)), size)
    best = int(across.argmax())
    return best if best <= size // 2 else best - size


def segments(folder: Path, seconds: int, fps: int = 25) -> list[Path]:
    """A segment a second, of one grey each."""
    folder.mkdir(exist_ok=True)
    files = [folder / f"segment-{second}.mp4" for second in range(seconds)]
    for second, file in enumerate(files):
        write_mp4(file, [np.full((16, 16, 3), 40 * second % 255, np.uint8)] * fps, fps, 16, 16)
    return files
