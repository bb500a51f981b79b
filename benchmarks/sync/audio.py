"""Sound as SyncNet hears it: mono, 16,000 samples a second, as MFCC of a hundred frames a second."""

from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from python_speech_features import mfcc as speech_mfcc

from benchmarks.arrays import Floats, Int16
from benchmarks.sync.syncnet import FRAMES
from benchmarks.sync.timeline import FPS

RATE = 16_000
SAMPLES_A_FRAME = RATE // FPS
COEFFICIENTS = 13
WINDOW = 20  # MFCC frames of a window, as long as five frames of the video
FEWEST_FRAMES = FRAMES + 1  # below them, the published code has no window left
_MFCC_A_FRAME = 4
_STEP, _LENGTH = 160, 400  # samples from one MFCC frame to the next, and in each
_BLOCK = 500  # MFCC frames


def read_sound(path: Path, video: Path) -> Int16:
    """The sound of the file at `path`, mono at 16 kHz from the video's first frame on, whole [S].

    If `path` is the video itself, sound that starts later than the pictures is preceded by silence, and what comes
    before them is left out; another file starts with the pictures. By FFmpeg's resampler, as in the published pipeline,
    which however compresses the sound once more before.

    Raises:
        ValueError: no file, no sound in it, or sound that cannot be decoded or is shorter than one window.
    """
    if not path.is_file():
        raise ValueError(f"audio: received {str(path)!r}, expected an existing file")
    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise ValueError(
                    f"audio {path}: received a file without sound, expected an audio stream in it; give the video's "
                    "sound as a wav, or leave Sync-C and Sync-D out"
                )
            samples = _decoded(container)
            late = _late(container) if path == video else 0
    except av.FFmpegError as error:
        raise ValueError(
            f"audio {path}: received sound that cannot be decoded ({error.strerror}), expected a whole file; render or "
            "copy it again"
        ) from error
    samples = np.pad(samples, (late, 0)) if late > 0 else samples[-late:]
    if len(samples) < FEWEST_FRAMES * SAMPLES_A_FRAME:
        least = FEWEST_FRAMES / FPS
        raise ValueError(
            f"audio {path}: received {len(samples) / RATE:.2f} s of sound, expected at least {least:.2f} s, one window of "
            "SyncNet; give longer sound, or leave Sync-C and Sync-D out"
        )
    return samples


def mfcc(samples: Int16) -> Floats:
    """Mel-frequency cepstral coefficients [M, 13] of samples [S], M = 1 + ceil((S - 400) / 160).

    Those of python_speech_features with its defaults (25 ms every 10 ms, 26 filters, the first coefficient the log
    energy), worked out in blocks: the library makes 10 KB of each frame.
    """
    count = 1 + max(0, -(-(len(samples) - _LENGTH) // _STEP))
    blocks = []
    for start in range(0, count, _BLOCK):
        # A frame more in front, and dropped again: the library's pre-emphasis spares the first sample it is given.
        before = min(start, 1)
        end = min(start + _BLOCK, count)
        part = samples[(start - before) * _STEP : (end - 1) * _STEP + _LENGTH]
        blocks.append(np.asarray(speech_mfcc(part, RATE), dtype=np.float64)[before:])
    return np.concatenate(blocks)


def windows(samples: Int16, frames: int) -> Floats:
    """What belongs to each window of five frames of a video of `frames` frames at 25 fps, MFCC [T, 13, 20].

    T = min(frames, S // 640) - 5, none if that is less than 1.
    """
    count = max(min(frames, len(samples) // SAMPLES_A_FRAME) - FRAMES, 0)
    if not count:
        return np.empty((0, COEFFICIENTS, WINDOW))
    slices = np.lib.stride_tricks.sliding_window_view(mfcc(samples), WINDOW, axis=0)
    return slices[::_MFCC_A_FRAME][:count]


def _decoded(container: InputContainer) -> Int16:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    parts = [np.empty(0, dtype=np.int16)]
    for frame in container.decode(audio=0):
        parts += [part.to_ndarray()[0] for part in resampler.resample(frame)]
    parts += [part.to_ndarray()[0] for part in resampler.resample(None)]
    return np.concatenate(parts)


def _late(container: InputContainer) -> int:
    """Samples by which the sound starts later than the pictures."""
    starts = [
        float(stream.start_time * stream.time_base) if stream.start_time is not None and stream.time_base else 0.0
        for stream in (container.streams.audio[0], container.streams.video[0])
    ]
    return round((starts[0] - starts[1]) * RATE)
