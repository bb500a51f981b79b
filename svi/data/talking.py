"""The embedded world with a voice: an object that stands still, and grows and shrinks with the loudness of a synthesised sound.

It stands still so that whatever changes in a true film is the sound's doing: its size is measured at a place that is known
to a fraction of a pixel, and it cannot be lost by leaving. Loudness is a level: equal steps of it are equal steps in decibels.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.fft import rfft  # type: ignore[import-untyped]
from scipy.signal import lfilter  # type: ignore[import-untyped]

from svi.data import world
from svi.data.world import Floats, Scene
from svi.frames import Frames
from svi.method.draws import keyed

RATE = 16_000  # samples a second
LEAST, MOST = 0.6, 1.2  # radius in silence and at the loudest, of the usual
CHANNELS = 4  # bands that `features` tells apart

_LOUDEST, _RANGE = -14.0, 40.0  # decibels: the level of loudness 1, and how far below it 0 is
_SYLLABLE = (0.2, 0.34)  # seconds: 3 to 5 a second
_PHRASE, _PAUSE = (3, 9), (0.3, 0.8)  # syllables (the latter excluded), seconds
_INSTANTS = 8  # a frame at which the level is taken
_PITCH = 120.0  # of the voice at its quietest, Hz
_HARMONICS = 12
_BREATH = 0.1  # of noise in the voice, RMS beside its fundamental's amplitude of 1
_ONSET = 0.002  # seconds in which the voice comes to a new level
_BANDS = (80, 300, 900, 2700, 8000)  # Hz
_QUIETEST = 1e-8  # power below which all is silence


def prompt(scene: Scene) -> str:
    """Background and object in six words, the same word at the same position."""
    return f"{world.OBJECTS[scene.object]} talking aloud {world.BACKGROUNDS[scene.background]}"


def loudness(key: tuple[int | str, ...], frames: int, fps: float) -> Floats:
    """What a film of that key says: syllables of random length and stress, with pauses between phrases. [F] in 0..1

    The mean over each frame; the first n frames are the same, however many are asked for.
    """
    rng = np.random.default_rng(keyed("loudness", *key).initial_seed())
    time = (np.arange(frames * _INSTANTS) + 0.5) / (_INSTANTS * fps)
    level = np.zeros(len(time), np.float32)
    syllables = int(rng.integers(*_PHRASE))
    start = -rng.uniform(0, _SYLLABLE[0] * syllables)  # a film begins anywhere in a phrase
    while start < frames / fps:
        stress, span = rng.uniform(0.4, 1.0), rng.uniform(*_SYLLABLE)
        sounding = slice(*np.searchsorted(time, (start, start + span)))
        level[sounding] = stress * np.sin(np.pi * (time[sounding] - start) / span)
        start, syllables = start + span, syllables - 1
        if not syllables:
            start, syllables = start + rng.uniform(*_PAUSE), int(rng.integers(*_PHRASE))
    means: Floats = level.reshape(frames, _INSTANTS).mean(axis=1)
    return means


def sound(envelope: Floats, fps: float, rate: int = RATE) -> Floats:
    """A voice whose RMS in each frame is -54 to -14 dB of full scale as the loudness [F] is 0 to 1. float32 [F rate / fps]

    Harmonics of a pitch that rises with the loudness, and a little noise; the first n frames depend on no later one.
    """
    lengths = np.diff(_starts(len(envelope) + 1, fps, rate))
    onset = np.exp(-1 / (_ONSET * rate))
    smooth, _ = lfilter([1 - onset], [1, -onset], np.repeat(envelope, lengths), zi=onset * envelope[:1])
    level = 10 ** ((_LOUDEST - _RANGE * (1 - smooth)) / 20)
    phase = 2 * np.pi * np.cumsum(np.repeat(_PITCH * (1 + 0.25 * envelope), lengths), dtype=np.float64) / rate
    turn = np.remainder(phase, 2 * np.pi).astype(np.float32)  # in which single precision is enough
    voice = _BREATH * np.random.default_rng(0).standard_normal(len(turn), dtype=np.float32)
    for k in range(1, _HARMONICS + 1):
        voice += np.sin(k * turn) / np.float32(k)
    power = sum(0.5 / k**2 for k in range(1, _HARMONICS + 1)) + _BREATH**2
    samples: Floats = (level * voice / np.sqrt(power)).astype(np.float32)
    return samples


def features(samples: Floats, fps: float, rate: int = RATE) -> Floats:
    """Log RMS of each frame's samples in four bands, in units of 20 dB about -40 dB of full scale. float32 [F, 1, C]

    F is as many frames as the sound [S] fills; silence is -2.
    """
    length = round(rate / fps)
    starts = _starts(round(len(samples) * fps / rate), fps, rate)
    padded = np.pad(samples, (0, length))
    spectrum = np.abs(rfft(np.lib.stride_tricks.sliding_window_view(padded, length)[starts], axis=1)) ** 2
    edges = np.searchsorted(np.fft.rfftfreq(length, 1 / rate), _BANDS)
    power = np.stack([spectrum[:, low:high].sum(axis=1) for low, high in pairwise(edges)], axis=1)
    decibels = 10 * np.log10(2 * power / length**2 + _QUIETEST)
    found: Floats = ((decibels[:, None] + 40) / 20).astype(np.float32)
    return found


def _starts(frames: int, fps: float, rate: int) -> NDArray[np.int64]:
    """The first sample of each frame."""
    return np.round(np.arange(frames) * rate / fps).astype(np.int64)


def play(scene: Scene, envelope: Floats) -> Iterator[Frames]:
    """The true film, frame by frame: the object where the scene has it, of the size that the loudness [F] says. [H, W, 3]"""
    for loud in envelope:
        yield world.to_uint8(world.composite(scene, scene.x, scene.y, LEAST + (MOST - LEAST) * float(loud)))


def render(scene: Scene, envelope: Floats) -> Frames:
    """The whole true film. [F, H, W, 3] uint8"""
    return np.stack(list(play(scene, envelope)))


def truth(scene: Scene, envelope: Floats) -> dict[str, NDArray[np.generic]]:
    """What scores of its film need to know, named as in benchmarks.films.film.Truth: the object in each of 17 sizes at its place,
    and any number of pixels away from it: in long films it wanders, and goes on talking."""
    sizes = np.linspace(LEAST - 0.1, MOST + 0.1, 17)
    grid = [(size, x, y) for size in sizes for y in _around(scene.height) for x in _around(scene.width)]
    masks = np.stack([world.mask(scene, scene.x + x, scene.y + y, size) for size, x, y in grid])
    ground = world.background(scene)
    return {
        "background": world.to_uint8(ground),
        "object_renders": world.painted(ground, masks, world.PAINT[scene.object]),
        "object_masks": masks,
        "object_sizes": np.array([size for size, _, _ in grid], np.float32),
        "object_distances": np.array([np.hypot(x, y) for _, x, y in grid], np.float32),
        "loudness": envelope,
    }


def _around(side: int) -> range:
    """All steps of a pixel away from a place, the shorter way around the borders."""
    return range(-(side // 2), side - side // 2)
