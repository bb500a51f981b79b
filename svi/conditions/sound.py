"""Sound of a film: any file's as wav2vec2 hears it, mono at 16 kHz, and as loud as speech was in training."""

import math
from pathlib import Path

import av
import numpy as np
import pyloudnorm
from av.container import InputContainer
from av.stream import Disposition
from numpy.typing import NDArray
from scipy.io import wavfile  # type: ignore[import-untyped]

RATE = 16_000
LOUDNESS = -23.0  # LUFS, by ITU-R BS.1770
_BLOCK = 0.4  # seconds that BS.1770 needs to tell how loud something is

Samples = NDArray[np.float32]
"""Mono, RATE of them a second; full scale is 1. [S]"""


def write_sound(file: Path, samples: Samples) -> None:
    """As a wav of 16 bits; what is louder than full scale is clipped."""
    wavfile.write(file, RATE, np.round(np.clip(samples, -1, 1) * 32767).astype(np.int16))


def read_sound(path: Path) -> Samples:
    """A sound file's samples, or those of a video from its first picture on: of any rate and number of channels.

    Channels are mixed as FFmpeg mixes them; only `levelled` settles how loud that is. Of a video, what sounds before the first
    picture is left out, and silence stands where sound begins after it.

    Raises:
        ValueError: no file, no sound in it, or sound that cannot be decoded, is empty or holds what is no number.
    """
    if not path.is_file():
        raise ValueError(f"sound: received {str(path)!r}, expected an existing file")
    try:
        with av.open(str(path)) as container:
            samples = _decoded(container) if container.streams.audio else None
            late = _late(container) if container.streams.audio else 0
    except (av.FFmpegError, ValueError) as error:  # FFmpeg's own, or PyAV's of frames that change their form
        why = error.strerror if isinstance(error, av.FFmpegError) else error
        raise ValueError(
            f"sound {path}: received what cannot be decoded ({why}), expected a whole sound or video file; copy or render it again"
        ) from error
    if samples is None:
        raise ValueError(
            f"sound {path}: received a file without sound, expected an audio stream in it; give the sound as a file of its own"
        )
    samples = np.pad(samples, (late, 0)) if late > 0 else samples[-late:]
    if not len(samples) or not np.isfinite(samples).all():
        raise ValueError(
            f"sound {path}: received {len(samples)} samples{', not all of them numbers' if len(samples) else ''}, expected "
            "samples that are numbers; render it again"
        )
    return samples


def levelled(samples: Samples) -> Samples:
    """With an integrated loudness of -23 LUFS, by the meter that MultiTalk's and SVI's training used; [S] -> [S].

    Silence, which nothing of BS.1770's gate is louder than (-70 LUFS), stays as it is. Raises ValueError for less than 0.4 s,
    which has no loudness.
    """
    if len(samples) < _BLOCK * RATE:
        raise ValueError(
            f"sound: received {len(samples) / RATE:.2f} s, expected at least {_BLOCK} s, in which BS.1770 measures how loud it is"
        )
    loudness = float(pyloudnorm.Meter(RATE, block_size=_BLOCK).integrated_loudness(samples))
    if not math.isfinite(loudness):
        return samples
    return samples * np.float32(10 ** ((LOUDNESS - loudness) / 20))


def possible_frames(samples: Samples, fps: float) -> int:
    """How many frames a film may have that ends with the sound."""
    return int(len(samples) * fps / RATE)


def check_length(path: Path, samples: Samples, frames: int, fps: float) -> None:
    """Raises ValueError, which says how long a film is possible, where the sound ends before a film of so many frames."""
    possible = possible_frames(samples, fps)
    if possible < frames:
        raise ValueError(
            f"sound {path}: received {len(samples) / RATE:.2f} s, expected {frames / fps:.2f} s, as long as a film of {frames} "
            f"frames at {fps:g} a second; give longer sound, or ask for at most {possible} frames"
        )


def _decoded(container: InputContainer) -> Samples:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE)
    parts = [np.empty(0, dtype=np.float32)]
    for frame in container.decode(audio=0):
        parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return np.concatenate(parts)


def _late(container: InputContainer) -> int:
    """Samples by which the sound starts later than the pictures; 0 where there are none, or only a cover's."""
    pictures = [video for video in container.streams.video if not video.disposition & Disposition.attached_pic]
    if not pictures:
        return 0
    starts = [
        float(stream.start_time * stream.time_base) if stream.start_time is not None and stream.time_base else 0.0
        for stream in (container.streams.audio[0], pictures[0])
    ]
    return round((starts[0] - starts[1]) * RATE)
