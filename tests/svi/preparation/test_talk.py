"""Samples of talking people, of videos and of the authors' pickles."""

import wave
from pathlib import Path

import numpy as np
import pytest
import torch

from svi.conditions.sound import RATE, levelled, read_sound
from svi.conditions.speech import Speech
from svi.data.samples import SOUND, SPEECH, VIDEO, read_speech
from svi.preparation.source import Made
from svi.preparation.talk import authors_features, talk_sources
from tests.svi.conditions.sounds import CHANNELS, LAYERS, tone, write_sound, write_wav2vec2
from tests.svi.preparation.sources import Runs, features, greys, jpegs, levels_of, read_video, write_pickle, write_video


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav2vec2(tmp_path_factory.mktemp("wav2vec2"))


def made(root: Path, model: Path | None, target: Path) -> Made:
    """The one sample of a folder."""
    [source], lacking = talk_sources(root, model)
    assert lacking == []
    target.mkdir()
    return source.make(target)


def test_a_video_with_its_sound(tmp_path: Path, model: Path) -> None:
    """Fifty pictures a second, of which every second one is kept; as many columns of features as pictures, and the sound."""
    root = tmp_path / "videos"
    root.mkdir()
    write_video(root / "a.mp4", greys(100), 50, sound=tone(2))
    assert made(root, model, tmp_path / "a") == Made(50, 2.0, "")
    assert np.abs(levels_of(tmp_path / "a" / VIDEO) - greys(100)[::2]).max() < 5
    assert read_video(tmp_path / "a" / VIDEO)[1] == 25
    heard = read_sound(root / "a.mp4")
    film = read_speech(tmp_path / "a" / SPEECH)
    assert film.shape == (50, LAYERS, CHANNELS)
    assert torch.equal(film, Speech(model).film(levelled(heard))[:50])
    with wave.open(str(tmp_path / "a" / SOUND)) as kept:
        assert (kept.getframerate(), kept.getnchannels(), kept.getnframes()) == (RATE, 1, 2 * RATE)
    assert np.abs(read_sound(tmp_path / "a" / SOUND) - heard[: 2 * RATE]).max() < 1e-4


@pytest.mark.parametrize("place", ["videos/a.wav", "audios/a.wav"])
def test_a_wav_beside_the_video_or_in_the_authors_folder_is_its_sound(tmp_path: Path, model: Path, place: str) -> None:
    root = tmp_path / "raw"
    for folder in ("videos", "audios"):
        (root / folder).mkdir(parents=True)
    write_video(root / "videos" / "a.mp4", greys(25), sound=np.zeros(RATE, np.float32))
    write_sound(root / place, tone(1))
    [source], _ = talk_sources(root, model)
    assert source.name == "videos-a"
    assert source.files == [root / "videos" / "a.mp4", root / place]
    (tmp_path / "a").mkdir()
    source.make(tmp_path / "a")
    assert np.abs(read_sound(tmp_path / "a" / SOUND) - tone(1)).max() < 1e-4


@pytest.mark.parametrize(
    ("pictures", "sound", "frames", "note"),
    [
        (50, 1.0, 25, "the sound ends 1.00 s before the pictures, which are cut there"),
        (25, 1.6, 25, "the pictures end 0.60 s before the sound, which is cut there"),
        (50, 1.98, 49, ""),
    ],
)
def test_the_longer_one_is_cut(
    tmp_path: Path, model: Path, pictures: int, sound: float, frames: int, note: str
) -> None:
    write_video(tmp_path / "a.mp4", greys(pictures))
    write_sound(tmp_path / "a.wav", tone(sound))
    assert made(tmp_path, model, tmp_path / "a") == Made(frames, frames / 25, note)
    assert len(read_speech(tmp_path / "a" / SPEECH)) == len(levels_of(tmp_path / "a" / VIDEO)) == frames
    assert len(read_sound(tmp_path / "a" / SOUND)) == frames * RATE // 25


def test_silence_gives_numbers(tmp_path: Path, model: Path) -> None:
    write_video(tmp_path / "a.mp4", greys(25), sound=np.zeros(RATE, np.float32))
    made(tmp_path, model, tmp_path / "a")
    assert read_speech(tmp_path / "a" / SPEECH).isfinite().all()


def test_a_video_without_sound_is_refused(tmp_path: Path, model: Path) -> None:
    write_video(tmp_path / "a.mp4", greys(25))
    with pytest.raises(ValueError, match=r"a\.mp4: received a file without sound"):
        made(tmp_path, model, tmp_path / "a")


def test_captions_are_the_csvs_or_the_authors(tmp_path: Path, model: Path) -> None:
    for name in ("a.mp4", "b.mp4"):
        write_video(tmp_path / name, greys(3))
    (tmp_path / "captions.csv").write_text("Filename,Video Description\na.mp4,A woman reads.\n")
    sources, _ = talk_sources(tmp_path, model)
    assert [source.prompt for source in sources] == ["A woman reads.", "the person is speaking"]


def test_videos_need_a_model_and_pickles_none(tmp_path: Path) -> None:
    write_pickle(tmp_path / "one" / "frame_data.pkl", jpegs(greys(30)))
    write_pickle(tmp_path / "one" / "audio_embedding.pkl", features(29))
    assert made(tmp_path, None, tmp_path / "out") == Made(29, 29 / 25, "")
    write_video(tmp_path / "a.mp4", greys(3))
    with pytest.raises(ValueError, match="--wav2vec2 FOLDER"):
        talk_sources(tmp_path, None)


@pytest.mark.parametrize("value", [features(30), features(30).bfloat16(), features(30).numpy()])
def test_the_authors_folder(tmp_path: Path, value: object) -> None:
    root = tmp_path / "preprocessed"
    write_pickle(root / "one" / "frame_data.pkl", jpegs(greys(30)))
    write_pickle(root / "one" / "audio_embedding.pkl", value)
    (root / "one" / "prompt.txt").write_text("A man\nspeaks.\n")
    [source], _ = talk_sources(root, None)
    (tmp_path / "out").mkdir()
    assert (source.name, source.prompt) == ("one", "A man speaks.")
    assert source.make(tmp_path / "out") == Made(30, 1.2, "")
    film = read_speech(tmp_path / "out" / SPEECH)
    assert torch.equal(film, torch.as_tensor(value).float().transpose(0, 1))
    assert np.abs(levels_of(tmp_path / "out" / VIDEO) - greys(30)).max() < 2
    assert not (tmp_path / "out" / SOUND).exists()


def test_the_authors_features(tmp_path: Path) -> None:
    found = authors_features(write_pickle(tmp_path / "audio_embedding.pkl", features(7)))
    assert torch.equal(found, features(7).transpose(0, 1))


def test_a_pickle_that_would_run_is_refused_and_does_not(tmp_path: Path) -> None:
    write_pickle(tmp_path / "one" / "frame_data.pkl", jpegs(greys(3)))
    write_pickle(tmp_path / "one" / "audio_embedding.pkl", Runs(tmp_path / "ran"))
    with pytest.raises(
        ValueError, match=r"audio_embedding\.pkl: received a pickle with pathlib.* nothing of it was run"
    ):
        made(tmp_path, None, tmp_path / "out")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (features(3)[0], r"received float32 \[3, 24\]"),
        ([1.0], "received list"),
        (features(3).long(), "received int64"),
        (features(3) * float("nan"), "NaN"),
    ],
)
def test_other_features_are_refused(tmp_path: Path, value: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        authors_features(write_pickle(tmp_path / "audio_embedding.pkl", value))


def test_a_folder_that_lacks_a_pickle_is_named(tmp_path: Path) -> None:
    write_pickle(tmp_path / "one" / "frame_data.pkl", jpegs(greys(3)))
    sources, lacking = talk_sources(tmp_path, None)
    assert sources == []
    assert lacking == [
        ("one", f"{tmp_path / 'one'} lacks audio_embedding.pkl, expected both frame_data.pkl and audio_embedding.pkl")
    ]


def test_a_folder_of_nothing_known_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match=r"expected .*videos with sound"):
            talk_sources(folder, None)
