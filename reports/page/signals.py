"""What films follow, drawn for the strip under a player's time line: the outline of their sound, and a row of skeletons."""

import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.container import InputContainer

from reports.artifacts import POSE, SIGNALS
from reports.figures.sheet import resized
from reports.page.data_uri import photo_uri

COLUMNS, HEIGHT = 400, 50
"""Of an outline: how many there are, and the largest sample's distance from the middle."""
PICTURES, WIDTH = 12, 96
"""Skeletons in a row, and the most pixels across that one has."""
_PACKETS = 200  # of sound, by which two are told apart: 4 s at 48 kHz, 13 s at 16 kHz


@dataclass(frozen=True)
class Signals:
    """What the films of one sample follow.

    `heard`: name -> which of `outlines` its film's sound has; a silent film is not there. An outline is the path of an SVG,
    COLUMNS wide and HEIGHT to either side of 0. `skeletons`: pictures as data, evenly along the film `posed`; empty: none are kept.
    """

    heard: Mapping[str, int] = field(default_factory=dict)
    outlines: tuple[str, ...] = ()
    skeletons: tuple[str, ...] = ()
    posed: str = ""


def signals_of(films: Mapping[str, Path]) -> Signals:
    """Of films by name, mp4s. A sound that several have is drawn once, and the skeletons are those of the first that has any."""
    sounds = {name: key for name, film in films.items() if (key := _sound(film)) is not None}
    different = list(dict.fromkeys(sounds.values()))
    of_each = {key: films[name] for name, key in reversed(sounds.items())}  # the first one's, where several have it
    posed = next((name for name, film in films.items() if pose_beside(film).is_file()), "")
    return Signals(
        heard={name: different.index(key) for name, key in sounds.items()},
        outlines=tuple(outline(of_each[key]) for key in different),
        skeletons=tuple(skeletons(pose_beside(films[posed]))) if posed else (),
        posed=posed,
    )


def has_sound(film: Path) -> bool:
    """Of an mp4; what is none is silent."""
    return _sound(film) is not None


def pose_beside(film: Path) -> Path:
    """Where the skeletons of FOLDER/videos/NAME.mp4 lie, if any are kept: FOLDER/signals/NAME.pose.mp4."""
    return film.parent.parent / SIGNALS / f"{film.stem}{POSE}"


def outline(film: Path) -> str:
    """The lowest and highest sample of every 400th part of the film, joined; the loudest one is HEIGHT high."""
    low, high = np.zeros(COLUMNS), np.zeros(COLUMNS)
    with av.open(str(film)) as container:
        first, seconds = _shown(container)
        resampler = av.AudioResampler(format="fltp", layout="mono")
        for frame in container.decode(audio=0):
            for part in resampler.resample(frame):
                samples = part.to_ndarray()[0]
                times = float(part.time or 0) - first + np.arange(len(samples)) / part.sample_rate
                columns = (times * (COLUMNS / seconds)).clip(0, COLUMNS - 1).astype(int)
                begins = np.flatnonzero(np.diff(columns, prepend=-1))
                at = columns[begins]
                low[at] = np.minimum(low[at], np.minimum.reduceat(samples, begins))
                high[at] = np.maximum(high[at], np.maximum.reduceat(samples, begins))
    scale = HEIGHT / max(high.max(), -low.min(), 1e-3)  # near silence is not blown up
    there, back = np.round(-high * scale).astype(int), np.round(-low * scale).astype(int)[::-1]
    above = " ".join(f"1,{step}" for step in np.diff(there))
    below = " ".join(f"-1,{step}" for step in np.diff(back))
    return f"M0,{there[0]}l{above}V{back[0]}l{below}z"


def skeletons(pose: Path) -> list[str]:
    """Pictures of that film as data, each from the middle of its part of it."""
    import decord

    reader = decord.VideoReader(str(pose), num_threads=1)
    numbers = [int((i + 0.5) * len(reader) / PICTURES) for i in range(PICTURES)]
    return [photo_uri(image) for image in resized(reader.get_batch(numbers).asnumpy(), WIDTH)]


def _sound(film: Path) -> tuple[object, ...] | None:
    """What tells the film's sound from another; None: it is silent, or no film."""
    try:
        with av.open(str(film)) as container:
            if not container.streams.audio:
                return None
            track: AudioStream = container.streams.audio[0]
            packets = islice(container.demux(track), _PACKETS)
            return track.duration, track.bit_rate, zlib.crc32(b"".join(map(bytes, packets)))
    except av.FFmpegError:
        return None


def _shown(container: InputContainer) -> tuple[float, float]:
    """When the film's pictures begin, and how long they last, in seconds."""
    pictures = container.streams.video[0]
    base = float(pictures.time_base or 0)
    return (pictures.start_time or 0) * base, (pictures.duration or 0) * base or (container.duration or 0) / 1e6 or 1.0
