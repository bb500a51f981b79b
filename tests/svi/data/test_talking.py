"""The voice is like speech, the features are of its samples, and the object grows with it."""

import numpy as np
import pytest
from scipy.signal import find_peaks

from svi.data import talking, world
from tests.svi.data.test_world import scene


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    return float(np.corrcoef(x, y)[0, 1])


def level(samples: np.ndarray, frames: int) -> np.ndarray:
    """RMS of each frame in dB of full scale."""
    return 20 * np.log10(np.sqrt(np.mean(samples.reshape(frames, -1) ** 2, axis=1)))


def test_loudness_depends_on_its_key_alone() -> None:
    long = talking.loudness(("film", 3), 300, 8)
    assert np.array_equal(talking.loudness(("film", 3), 41, 8), long[:41])
    assert abs(correlation(long, talking.loudness(("film", 4), 300, 8))) < 0.3
    assert long.dtype == np.float32
    assert 0 <= long.min() < 0.02 < 0.8 < long.max() <= 1


def test_loudness_is_like_speech() -> None:
    fine = talking.loudness((1,), 20_000, 200)
    apart = np.diff(find_peaks(fine, height=0.3)[0]) / 200
    within = apart[apart < 0.4]
    assert 0.23 < within.mean() < 0.3  # 3 to 5 syllables a second
    assert len(within) > 3 * len(apart[apart > 0.4])  # several of them a phrase
    assert 0.1 < np.mean(fine < 0.01) < 0.4  # pauses
    film = talking.loudness((1,), 2000, 8)
    like = [correlation(film[lag:], film[:-lag]) for lag in range(1, 40)]
    assert max(like) < 0.5  # a lag of one frame shows
    assert max(map(abs, like[11:])) < 0.15


def test_the_sound_has_the_loudness_in_every_frame() -> None:
    envelope = talking.loudness((1,), 200, 8)
    samples = talking.sound(envelope, 8)
    assert (samples.shape, samples.dtype) == ((200 * 2000,), np.float32)
    assert np.abs(samples).max() < 1
    heard = level(samples, 200)
    assert correlation(heard, envelope) > 0.99
    loud = envelope > 0.5
    assert heard[loud] == pytest.approx(-54 + 40 * envelope[loud], abs=1)
    assert np.array_equal(talking.sound(envelope[:30], 8), samples[: 30 * 2000])


def test_features_are_of_the_samples() -> None:
    time = np.arange(4 * 2000) / talking.RATE
    tone = (np.sqrt(2) * 0.1 * np.sin(2 * np.pi * 1000 * time)).astype(np.float32)  # -20 dB
    tone[2000:4000] = 0
    rows = talking.features(tone, 8)
    assert (rows.shape, rows.dtype) == ((4, 1, talking.CHANNELS), np.float32)
    assert rows[[0, 2, 3], 0, 2] == pytest.approx(1, abs=0.01)  # 20 dB above -40 dB, in the band from 900 to 2,700 Hz
    assert rows[:, 0, [0, 1, 3]].max() < -1.9
    assert rows[1, 0] == pytest.approx([-2] * talking.CHANNELS)


def test_features_tell_the_loudness() -> None:
    envelope = talking.loudness((2,), 200, 8)
    rows = talking.features(talking.sound(envelope, 8), 8)
    assert all(correlation(rows[:, 0, band], envelope) > 0.95 for band in range(talking.CHANNELS))
    assert 0.3 < rows.std() < 1


def test_a_rate_that_no_whole_number_of_samples_fits() -> None:
    envelope = talking.loudness((2,), 50, 30)
    samples = talking.sound(envelope, 30)
    assert len(samples) == round(50 * talking.RATE / 30)
    assert correlation(talking.features(samples, 30)[:, 0, 0], envelope) > 0.95


def test_the_object_stands_still_and_grows() -> None:
    film = talking.render(scene(x=7.3, y=9.6), np.array([0, 0.5, 1], np.float32))
    assert (film.shape, film.dtype) == ((3, 16, 16, 3), np.uint8)
    share = np.array([world.mask(scene(), 7.3, 9.6, size).sum() for size in (0.6, 0.9, 1.2)])
    off = np.abs(film.astype(float) - 255 * world.background(scene())).sum(axis=-1)
    paint = np.abs(255 * (world.PAINT[0] - world.background(scene()))).sum(axis=-1)
    covered = off / paint
    assert covered.sum(axis=(1, 2)) == pytest.approx(share, rel=0.03)
    middles = (covered * np.arange(16)).sum(axis=(1, 2)) / covered.sum(axis=(1, 2)) + 0.5
    assert middles == pytest.approx([7.3] * 3, abs=0.15)


def test_the_prompt_has_the_words_of_the_world_in_their_places() -> None:
    assert talking.prompt(scene()) == "red disc talking aloud sea stripes"
