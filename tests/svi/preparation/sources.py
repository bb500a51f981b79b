"""What samples are made of, small: videos of known greys with and without sound, and the authors' pickles."""

import io
import pickle
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from PIL import Image

from svi.conditions.sound import RATE, Samples

SIZE = 48, 64


def greys(count: int) -> list[int]:
    """From dark to light."""
    return np.linspace(20, 220, count).astype(int).tolist()


def write_video(
    file: Path,
    levels: Sequence[Any],
    rate: Fraction | int = 25,
    size: tuple[int, int] = SIZE,
    sound: Samples | None = None,
    stamps: Sequence[int] | None = None,
) -> Path:
    """H.264 of pictures, each of one grey or of an array of them, with AAC sound.

    `stamps`: when they are shown, in `rate` a second.
    """
    with av.open(str(file), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"crf": "4", "threads": "1"})
        video.height, video.width, video.pix_fmt = *size, "yuv420p"
        voice = None if sound is None else container.add_stream("aac", rate=RATE, layout="mono")
        for stamp, level in zip(stamps or range(len(levels)), levels, strict=True):
            frame = av.VideoFrame.from_ndarray(np.full((*size, 3), level, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, 1 / Fraction(rate)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if voice is not None and sound is not None:
            for start in range(0, len(sound), 1024):
                heard = av.AudioFrame.from_ndarray(sound[None, start : start + 1024], format="fltp", layout="mono")
                heard.sample_rate, heard.pts, heard.time_base = RATE, start, Fraction(1, RATE)
                container.mux(voice.encode(heard))
            container.mux(voice.encode())
    return file


def read_video(file: Path) -> tuple[np.ndarray, Fraction, str]:
    """All its pictures [F, H, W, 3], its rate and codec."""
    with av.open(str(file)) as container:
        stream = container.streams.video[0]
        assert stream.average_rate
        pictures = [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]
        return np.stack(pictures), stream.average_rate, stream.codec_context.name


def levels_of(file: Path) -> np.ndarray:
    """Mean grey of each picture."""
    return read_video(file)[0].mean(axis=(1, 2, 3))


def jpegs(levels: Sequence[int], size: tuple[int, int] = SIZE) -> dict[str, bytes]:
    """By the authors' names."""
    found = {}
    for i, level in enumerate(levels):
        content = io.BytesIO()
        Image.new("RGB", size[::-1], (level, level, level)).save(content, "JPEG", quality=95)
        found[f"{i:06d}.jpg"] = content.getvalue()
    return found


def write_pickle(file: Path, value: Any) -> Path:
    """In the folder, which is made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(pickle.dumps(value))
    return file


def features(frames: int, layers: int = 12, channels: int = 24) -> torch.Tensor:
    """As the authors keep them, [layers, T, channels]: every number another one."""
    return torch.arange(float(layers * frames * channels)).reshape(layers, frames, channels)


class Runs:
    """A pickle of it creates a file where Python reads it."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> Any:
        return Path.touch, (self.file,)
