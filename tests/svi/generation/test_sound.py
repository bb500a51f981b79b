"""Films with sound: in step with the pictures, as long as they are, and the same bytes every time."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from svi.generation.sound import Sound
from svi.generation.video import join_mp4
from tests.svi.films import maker, quiet, scripts, whole_and_stopped
from tests.svi.sounds import bursts, heard, lag, segments, write_wav

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(("rate", "channels", "kept"), [(16_000, 1, 16_000), (44_100, 2, 44_100), (96_000, 1, 48_000)])
def test_sound_begins_and_ends_with_the_pictures(tmp_path: Path, rate: int, channels: int, kept: int) -> None:
    """Decoded again, it is nowhere a sample early or late: AAC's encoder begins with 1024 samples that nobody hears."""
    sound = bursts(4, rate)
    wav = write_wav(tmp_path / "voice.wav", np.stack([sound] * channels, axis=1), rate)
    join_mp4(tmp_path / "film.mp4", segments(tmp_path, 4), Sound(wav))
    found, at = heard(tmp_path / "film.mp4")
    assert (at, len(found)) == (kept, 4 * kept)
    expected = sound if kept == rate else sound.reshape(-1, 2).mean(axis=1)
    for part in (slice(0, kept), slice(3 * kept, None)):
        assert lag(found[part], expected[part]) == 0
        assert np.corrcoef(found[part], expected[part])[0, 1] > 0.6  # noise costs more than three bits a sample
    with av.open(str(tmp_path / "film.mp4")) as container:
        for stream in container.streams:
            assert (stream.start_time, stream.duration * stream.time_base) == (0, 4)
        assert container.duration == 4_000_000
        assert container.streams.audio[0].channels == 1


def test_pictures_are_those_of_the_silent_film(tmp_path: Path) -> None:
    parts = segments(tmp_path, 3)
    join_mp4(tmp_path / "silent.mp4", parts)
    join_mp4(tmp_path / "film.mp4", parts, Sound(write_wav(tmp_path / "voice.wav", bursts(3, 16_000), 16_000)))
    packets = []
    for name in ("silent.mp4", "film.mp4"):
        with av.open(str(tmp_path / name)) as container:
            video = container.streams.video[0]
            packets.append([(p.pts, p.dts, p.duration, bytes(p)) for p in container.demux(video) if p.pts is not None])
    assert packets[0] == packets[1]


@pytest.mark.parametrize("seconds", [1.3, 0.0, 6.0])
def test_short_sound_is_followed_by_silence_and_long_sound_is_cut(tmp_path: Path, seconds: float) -> None:
    wav = write_wav(tmp_path / "voice.wav", bursts(seconds, 16_000), 16_000)
    join_mp4(tmp_path / "film.mp4", segments(tmp_path, 3), Sound(wav))
    found, rate = heard(tmp_path / "film.mp4")
    assert len(found) == 3 * rate
    loud = [np.abs(found[second * rate :][: rate // 10]).max() > 0.1 for second in range(3)]
    assert loud == [second < seconds for second in range(3)]
    assert np.abs(found[round((seconds + 0.1) * rate) :]).max(initial=0) < 1e-3 or seconds > 3


def test_the_same_sound_gives_the_same_bytes(tmp_path: Path) -> None:
    parts, wav = segments(tmp_path, 2), write_wav(tmp_path / "voice.wav", bursts(2, 16_000), 16_000)
    for name in ("a.mp4", "b.mp4"):
        join_mp4(tmp_path / name, parts, Sound(wav))
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


def test_files_without_sound_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"received .*none\.wav \(No such file.*\), expected a file with sound"):
        Sound(tmp_path / "none.wav")
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"text\.wav \(Invalid data"):
        Sound(tmp_path / "text.wav")
    with pytest.raises(ValueError, match=r"segment-0\.mp4, in which there is none"):
        Sound(segments(tmp_path, 1)[0])


def test_broken_sound_leaves_the_segments(tmp_path: Path) -> None:
    """An mp4 whose last packets are noise: its header is whole, so that this shows when it is decoded."""
    parts, wav = segments(tmp_path, 2), write_wav(tmp_path / "voice.wav", bursts(2, 16_000), 16_000)
    broken = tmp_path / "broken.mp4"
    join_mp4(broken, parts, Sound(wav))
    content = bytearray(broken.read_bytes())
    with av.open(str(broken)) as container:
        places = [(p.pos, p.size) for p in container.demux(audio=0) if p.pts is not None]
    for place, size in places[5:]:
        content[place : place + size] = b"\xff" * size
    broken.write_bytes(content)
    with pytest.raises(ValueError, match=r"sound .*broken\.mp4: received what cannot be decoded"):
        join_mp4(tmp_path / "film.mp4", parts, Sound(broken))
    assert not (tmp_path / "film.mp4").exists()
    assert all(part.is_file() for part in parts)
    assert not list(tmp_path.glob(".*"))


def test_films_of_one_group_have_sounds_of_their_own_however_often_they_are_stopped(tmp_path: Path) -> None:
    """Made at once, or stopped after every clip and gone on with: the same bytes; a film without sound stays silent."""
    story = scripts(3, films=3)
    for place in (0, 2):
        wav = write_wav(tmp_path / f"voice-{place}.wav", bursts(2, 16_000, seed=place), 16_000)
        story[place] = replace(story[place], sound=wav)
    whole_and_stopped(maker, story, 13, tmp_path)
    for script in story:
        whole, cut = (tmp_path / made / "videos" / f"{script.name}.mp4" for made in ("whole", "cut"))
        assert whole.read_bytes() == cut.read_bytes()
        with av.open(str(whole)) as container:
            assert len(container.streams.audio) == (script.sound is not None)
        if script.sound is not None:
            sound = heard(Path(script.sound))[0]
            found = heard(whole)[0]
            assert len(found) == 13 * 16_000 // 8
            assert lag(found, sound[: len(found)]) == 0
    others = [heard(tmp_path / "whole" / "videos" / f"film-{place}.mp4")[0] for place in (0, 2)]
    assert abs(np.corrcoef(*others)[0, 1]) < 0.3


def test_a_sound_that_cannot_be_is_refused_before_any_clip(tmp_path: Path) -> None:
    story = [replace(script, sound=tmp_path / "none.wav") for script in scripts(3)]
    with pytest.raises(ValueError, match=r"none\.wav"):
        maker().films(story, 13, 8, tmp_path, quiet)
    assert not list(tmp_path.iterdir())


JOIN = """
import sys
from pathlib import Path
from svi.generation.sound import Sound
from svi.generation.video import join_mp4
from tests.svi.memory import peak
from tests.svi.sounds import segments
folder, wav, seconds = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
join_mp4(folder / "film.mp4", segments(folder, 1) * seconds, Sound(wav))
print(peak())
"""


@pytest.mark.slow
def test_300_seconds_stay_in_step_in_the_memory_of_30(tmp_path: Path) -> None:
    """Less than a frame of 25 fps off at both ends, and within 5 % of the peak memory."""
    rate, peaks = 16_000, []
    sound = bursts(300, rate, every=7.0)
    wav = write_wav(tmp_path / "voice.wav", sound, rate)
    for seconds in (30, 300):
        command = [sys.executable, "-c", JOIN, str(tmp_path), str(wav), str(seconds)]
        peaks.append(int(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout))
    assert peaks[1] < 1.05 * peaks[0], peaks
    found, _ = heard(tmp_path / "film.mp4")
    assert len(found) == len(sound)
    for part in (slice(0, 10 * rate), slice(-10 * rate, None)):
        assert abs(Fraction(lag(found[part], sound[part]), rate)) < Fraction(1, 25)
