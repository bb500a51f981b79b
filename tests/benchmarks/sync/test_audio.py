"""Sound: what is read of files, its MFCC, and the windows; and the timeline of 25 frames a second."""

import math
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from python_speech_features import mfcc as speech_mfcc

from benchmarks.films.video_file import VideoFile
from benchmarks.sync.audio import mfcc, read_sound, windows
from benchmarks.sync.timeline import length, timeline
from svi.generation.sound import Sound
from svi.generation.video import join_mp4, write_mp4
from tests.benchmarks.sync.sync_videos import RATE, face_frames, hum, write_talking, write_wav
from tests.benchmarks.vbench.vbench_videos import write_video

SHARED = Path(__file__).parents[4] / "shared" / "data" / "svi-toy" / "audio"


def test_a_wav_is_read_as_it_is(tmp_path: Path) -> None:
    sound = hum(1.3)
    path = write_wav(tmp_path / "voice.wav", sound)
    assert np.array_equal(read_sound(path, tmp_path / "film.mp4"), sound)


def test_stereo_at_another_rate_becomes_mono_at_16_khz(tmp_path: Path) -> None:
    sound = hum(2, rate=48_000)
    path = write_wav(tmp_path / "voice.wav", np.stack([sound, sound // 2], axis=1), rate=48_000)
    found = read_sound(path, tmp_path / "film.mp4")
    assert found.dtype == np.int16
    assert abs(len(found) - 2 * RATE) <= 1
    expected = 0.75 * hum(2)[: len(found)].astype(float)
    inner = slice(100, len(found) - 100)
    assert np.abs(found[inner] - expected[inner]).max() < 60  # of 9000


def test_the_sound_of_an_mp4_is_its_own(tmp_path: Path) -> None:
    """AAC keeps the tone and what it swells by; the encoder's delay is cut away."""
    sound = hum(1.6)
    path = write_talking(tmp_path / "film.mp4", face_frames(40), sound=sound)
    found = read_sound(path, path)
    assert len(sound) <= len(found) < len(sound) + 2048
    assert np.corrcoef(found[: len(sound)], sound)[0, 1] > 0.99


@pytest.mark.parametrize("late", [0.2, -0.2])
def test_sound_keeps_its_place_beside_the_pictures(tmp_path: Path, late: float) -> None:
    """Sound that begins 0.2 s after (before) the pictures."""
    path = _shifted(tmp_path / "film.mp4", late)
    found, sound = read_sound(path, path), hum(1.6)
    if late > 0:
        assert (found[:3000] == 0).all()
        found = found[3200:]
    else:
        sound = sound[3200:]
    shared = min(len(found), len(sound))
    assert shared > 22_000
    assert np.corrcoef(found[:shared], sound[:shared])[0, 1] > 0.99
    # As a file of its own, it begins with the pictures.
    assert len(read_sound(path, tmp_path / "other.mp4")) >= 25_600


def test_the_sound_of_a_film_made_here_is_where_it_was_put(tmp_path: Path) -> None:
    """Not a sample off, and as long as the pictures but for the last packet's silence."""
    sound, segment = hum(1.6), tmp_path / "segment.mp4"
    write_mp4(segment, face_frames(20), 25, 128, 160)
    join_mp4(tmp_path / "film.mp4", [segment, segment], Sound(write_wav(tmp_path / "voice.wav", sound)))
    found = read_sound(tmp_path / "film.mp4", tmp_path / "film.mp4")
    assert len(sound) <= len(found) < len(sound) + 1024
    agree = [np.corrcoef(found[100:-1200], sound[100 - by :][: len(found) - 1300])[0, 1] for by in (-1, 0, 1)]
    assert agree[1] == max(agree) > 0.99


def _shifted(path: Path, late: float) -> Path:
    """An mkv in an mp4's place, whose streams may begin at any time."""
    with av.open(str(path), "w", format="matroska") as container:
        video = container.add_stream("libx264", rate=25, options={"bf": "0", "threads": "1"})
        video.height, video.width, video.pix_fmt = 128, 160, "yuv420p"
        voice = container.add_stream("pcm_s16le", rate=RATE, layout="mono")
        for i, image in enumerate(face_frames(40)):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = i + round(25 * max(-late, 0)), Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
        sound = av.AudioFrame.from_ndarray(hum(1.6)[None], format="s16", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = RATE, round(RATE * max(late, 0)), Fraction(1, RATE)
        container.mux(voice.encode(sound))
        container.mux(voice.encode())
    return path


def test_what_has_no_sound_or_too_little_is_refused(tmp_path: Path) -> None:
    silent = write_video(tmp_path / "silent.mp4", face_frames(5), fps=25)
    with pytest.raises(
        ValueError, match=r"silent\.mp4: received a file without sound.*give the video's sound as a wav"
    ):
        read_sound(silent, silent)
    with pytest.raises(ValueError, match="expected an existing file"):
        read_sound(tmp_path / "none.wav", silent)
    short = write_wav(tmp_path / "short.wav", hum(0.2399))
    with pytest.raises(ValueError, match=r"received 0\.24 s of sound, expected at least 0\.24 s, one window"):
        read_sound(short, silent)
    assert len(read_sound(write_wav(tmp_path / "just.wav", hum(0.24)), silent)) == 3840
    (tmp_path / "text.wav").write_text("no sound")
    with pytest.raises(ValueError, match=r"text\.wav: received sound that cannot be decoded .*expected a whole file"):
        read_sound(tmp_path / "text.wav", silent)


@pytest.mark.parametrize("samples", [100, 400, 401, 3840, 80_240, 80_400, 80_401, 1_000_003])
def test_blocks_give_the_librarys_mfcc(samples: int) -> None:
    """Also about the ends of blocks, of 500 frames each; matrix products of other heights round otherwise."""
    sound = np.random.default_rng(samples).integers(-9000, 9000, samples).astype(np.int16)
    expected = speech_mfcc(sound, RATE)
    assert expected.shape == (1 + max(0, math.ceil((samples - 400) / 160)), 13)
    np.testing.assert_allclose(mfcc(sound), expected, rtol=1e-11, atol=1e-11)


def test_windows_are_20_hundredths_of_a_second_a_frame_apart() -> None:
    sound = hum(2)
    found, whole = windows(sound, 1000), mfcc(sound)
    assert found.shape == (45, 13, 20)
    for t in (0, 7, 44):
        assert np.array_equal(found[t], whole[4 * t : 4 * t + 20].T)
    assert windows(sound, 30).shape == (25, 13, 20)
    assert windows(sound[:-1], 1000).shape == (44, 13, 20)
    assert windows(sound[:3839], 1000).shape == windows(sound, 5).shape == (0, 13, 20)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no sample data beside the checkout")
def test_a_recording_is_read() -> None:
    """2.56 s in stereo."""
    sound = read_sound(SHARED / "0a2c496c2246a88230f800052298612e.wav", Path("film.mp4"))
    assert len(sound) == 40_960
    assert mfcc(sound).shape == (1 + math.ceil((40_960 - 400) / 160), 13)
    found = windows(sound, 1000)
    assert found.shape == (64 - 5, 13, 20)
    assert np.isfinite(found).all()
    assert found.std(axis=(0, 2)).min() > 0.1


def shown(path: Path, block: int = 7) -> list[int]:
    """The numbers of the frames that the timeline shows, told by their brightness."""
    video = VideoFile.open(path)
    numbers = []
    for frames, times in timeline(video, block):
        for frame, repeats in zip(frames, times, strict=True):
            numbers += [round((float(frame.mean()) - 8) / 4)] * repeats
    assert length(video) == len(numbers)
    return numbers


@pytest.mark.parametrize("fps", [16, 25, 30, 12, 50, 24, Fraction(30000, 1001)])
def test_other_rates_are_brought_to_25_frames_a_second_as_ffmpeg_does(tmp_path: Path, fps: int | Fraction) -> None:
    frames = np.stack([np.full((64, 64, 3), 8 + 4 * i, dtype=np.uint8) for i in range(60)])
    path = write_talking(tmp_path / "film.mp4", frames, fps)
    assert shown(path) == _by_ffmpeg(path)
    assert shown(path, block=60) == shown(path)
    assert abs(len(shown(path)) - 60 * 25 / fps) <= 0.5


def _by_ffmpeg(path: Path) -> list[int]:
    numbers = []
    with av.open(str(path)) as container:
        graph = av.filter.Graph()
        source = graph.add_buffer(template=container.streams.video[0])
        rate, sink = graph.add("fps", "fps=25"), graph.add("buffersink")
        source.link_to(rate)
        rate.link_to(sink)
        graph.configure()
        for frame in [*container.decode(video=0), None]:
            graph.push(frame)
            while True:
                try:
                    image = graph.pull().to_ndarray(format="rgb24")
                except (av.BlockingIOError, av.EOFError):
                    break
                numbers.append(round((float(image.mean()) - 8) / 4))
    return numbers


def test_film_of_81_frames_at_16_a_second_shows_nine_of_sixteen_twice(tmp_path: Path) -> None:
    frames = np.stack([np.full((64, 64, 3), 8 + 3 * i, dtype=np.uint8) for i in range(81)])
    video = VideoFile.open(write_talking(tmp_path / "film.mp4", frames, 16))
    times = [repeats for _, block in timeline(video, 16) for repeats in block]
    assert len(times) == 81
    assert length(video) == sum(times) == 127  # 126.56
    assert [times[i : i + 16].count(2) for i in (0, 16, 32, 48, 64)] == [9] * 5
