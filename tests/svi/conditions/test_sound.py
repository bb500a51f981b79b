"""Sound of any file: mono at 16 kHz, -23 LUFS, and what is refused."""

from pathlib import Path

import av
import numpy as np
import pyloudnorm
import pytest

from svi.conditions import sound
from svi.conditions.sound import RATE, check_length, levelled, possible_frames, read_sound
from tests.svi.conditions.sounds import SPEECH, tone, write_film, write_sound
from tests.svi.sounds import write_wav


def loudness(samples: np.ndarray) -> float:
    """Integrated, BS.1770, written out at 48 kHz with the standard's own filters: no library's design of them."""
    from scipy.signal import lfilter, resample_poly

    x = resample_poly(samples.astype(np.float64), 48_000 // RATE, 1)
    x = lfilter([1.53512485958697, -2.69169618940638, 1.19839281085285], [1, -1.69065929318241, 0.73248077421585], x)
    x = lfilter([1, -2, 1], [1, -1.99004745483398, 0.99007225036621], x)
    power = np.array([np.mean(x[i : i + 19_200] ** 2) for i in range(0, len(x) - 19_200 + 1, 4_800)])
    power = power[power > 10 ** ((-70 + 0.691) / 10)]
    power = power[power > power.mean() / 10]
    return -0.691 + 10 * np.log10(power.mean())


def same(one: np.ndarray, other: np.ndarray, within: float = 0.01) -> bool:
    """But for their ends, where a resampler knows one side alone."""
    shared = min(len(one), len(other))
    assert abs(len(one) - len(other)) <= 2
    return bool(np.abs(one[:shared] - other[:shared])[200:-200].max() < within)


def test_sound_at_16_khz_is_read_as_it_is(tmp_path: Path) -> None:
    found = read_sound(write_sound(tmp_path / "voice.wav", tone(1)))
    assert found.dtype == np.float32
    assert np.array_equal(found, tone(1))


@pytest.mark.parametrize("rate", [8_000, 22_050, 44_100, 48_000])
def test_any_rate_becomes_16_khz(tmp_path: Path, rate: int) -> None:
    assert same(read_sound(write_sound(tmp_path / "voice.wav", tone(1, rate), rate)), tone(1))


@pytest.mark.parametrize("channels", [2, 6])
def test_channels_become_one_and_as_loud(tmp_path: Path, channels: int) -> None:
    sound = np.stack([tone(2, 44_100)] * channels, axis=1)
    found = levelled(read_sound(write_sound(tmp_path / "voice.wav", sound, 44_100)))
    assert same(found, levelled(tone(2)))


def test_both_channels_are_heard(tmp_path: Path) -> None:
    left, right = tone(1), tone(1)[::-1]
    found = read_sound(write_sound(tmp_path / "voice.wav", np.stack([left, right], axis=1)))
    np.testing.assert_allclose(found, (left + right) / 2**0.5, atol=1e-6)


@pytest.mark.parametrize(("name", "codec"), [("v.flac", "flac"), ("v.mp3", "mp3"), ("v.m4a", "aac")])
def test_other_files_of_sound(tmp_path: Path, name: str, codec: str) -> None:
    if codec == "flac":
        write_sound(tmp_path / "v.wav", tone(2))
        path = _as_flac(tmp_path / "v.wav", tmp_path / name)
    else:
        path = write_sound(tmp_path / name, tone(2), codec=codec)
    found = read_sound(path)[: 2 * RATE]
    assert np.corrcoef(found, tone(2)[: len(found)])[0, 1] > 0.99


def _as_flac(source: Path, path: Path) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        samples = (read_sound(source) * 32767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("late", [0.0, 0.2, -0.2])
def test_sound_of_a_video_keeps_its_place_beside_the_pictures(tmp_path: Path, late: float) -> None:
    found = read_sound(write_film(tmp_path / "film.mkv", 1.6, tone(1.6), late))
    silence, left_out = round(RATE * max(late, 0)), round(RATE * max(-late, 0))
    assert (found[:silence] == 0).all()
    assert np.array_equal(found[silence:], tone(1.6)[left_out:])


def test_loudness_is_the_standards() -> None:
    speechlike = tone(3) * np.repeat([1.0, 0.01, 0.6], RATE).astype(np.float32)  # the gate leaves the middle out
    for one in (tone(2), speechlike, tone(1, loud=0.01)):
        assert loudness(levelled(one)) == pytest.approx(-23, abs=0.1)
        assert pyloudnorm.Meter(RATE).integrated_loudness(levelled(one)) == pytest.approx(-23, abs=1e-3)
        assert np.corrcoef(one, levelled(one))[0, 1] == pytest.approx(1)


@pytest.mark.filterwarnings("error")
def test_silence_stays_silence() -> None:
    assert (levelled(np.zeros(RATE, dtype=np.float32)) == 0).all()
    hiss = np.random.default_rng(0).normal(0, 1e-6, RATE).astype(np.float32)
    assert np.array_equal(levelled(hiss), hiss)  # below the gate of -70 LUFS: nothing says how loud it is


def test_a_gap_in_the_sound_is_no_gain() -> None:
    """Silence before speech does not make the speech louder: the gate leaves it out."""
    led = levelled(np.concatenate([np.zeros(5 * RATE, dtype=np.float32), tone(2)]))
    assert np.abs(led[5 * RATE :] / levelled(tone(2)).max()).max() == pytest.approx(1, abs=0.1)
    assert (led[: 5 * RATE] == 0).all()


def test_what_is_no_sound_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected an existing file"):
        read_sound(tmp_path / "none.wav")
    with pytest.raises(
        ValueError, match=r"film\.mkv: received a file without sound.*give the sound as a file of its own"
    ):
        read_sound(write_film(tmp_path / "film.mkv", 0.2, None))
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"text\.wav: received what cannot be decoded .*copy or render it again"):
        read_sound(tmp_path / "text.wav")
    with pytest.raises(ValueError, match="not all of them numbers"):
        read_sound(write_sound(tmp_path / "nan.wav", np.full(RATE, np.nan, dtype=np.float32)))
    with pytest.raises(ValueError, match=r"empty\.wav: received 0 samples, expected"):
        read_sound(write_wav(tmp_path / "empty.wav", np.zeros(0), RATE))
    with pytest.raises(ValueError, match=r"received 0\.30 s, expected at least 0\.4 s"):
        levelled(tone(0.3))
    assert np.isfinite(levelled(tone(0.4))).all()


def test_a_film_longer_than_its_sound_is_refused_with_what_is_possible() -> None:
    path, sound = Path("voice.wav"), tone(3.3)
    assert possible_frames(sound, 25) == 82
    check_length(path, sound, 82, 25)
    with pytest.raises(
        ValueError, match=r"voice\.wav: received 3\.30 s, expected 3\.32 s.* 83 frames at 25 .*at most 82"
    ):
        check_length(path, sound, 83, 25)
    assert possible_frames(sound, 30) == 99
    assert possible_frames(np.zeros(300 * RATE, dtype=np.float32), 25) == 7500


@pytest.mark.skipif(not SPEECH.is_dir(), reason="no real speech here")
def test_real_speech() -> None:
    [path] = SPEECH.glob("*.wav")
    sound = read_sound(path)
    assert len(sound) > RATE
    assert loudness(levelled(sound)) == pytest.approx(-23, abs=0.1)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    sound.write_sound(tmp_path / "a.wav", 1.5 * tone(1))
    with av.open(str(tmp_path / "a.wav")) as file:
        assert (file.streams.audio[0].rate, file.streams.audio[0].channels) == (RATE, 1)
    assert np.abs(read_sound(tmp_path / "a.wav") - np.clip(1.5 * tone(1), -1, 1)).max() <= 1 / 32767
