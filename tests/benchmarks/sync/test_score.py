"""Sync-C and Sync-D of whole videos, by the real networks at full size with random weights.

Random weights find no face, so that where faces are needed the detector's boxes are given.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from python_speech_features import mfcc as speech_mfcc

from benchmarks.arrays import UInt8
from benchmarks.sync.crop import crop, smoothed
from benchmarks.sync.faces import FaceTrack
from benchmarks.sync.score import SyncModels, SyncScore, score_sync
from tests.benchmarks.sync.sync_videos import face_frames, hum, write_talking, write_wav
from tests.benchmarks.vbench.vbench_videos import write_video

Detect = Callable[[UInt8], list[np.ndarray]]
BOX = (20.0, 5.0, 125.0, 120.0)


@pytest.fixture(scope="module")
def models(sync_weights: Path) -> SyncModels:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HARNESS_WEIGHTS", str(sync_weights))
        return SyncModels.load()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 frames at 25 fps with as much sound."""
    return write_talking(tmp_path_factory.mktemp("film") / "film.mp4", face_frames(20), sound=hum(0.8))


def given(*boxes: tuple[float, ...], frames: slice = slice(None)) -> Detect:
    """Finds these boxes in the frames of that slice, and nothing in others."""
    seen = 0

    def detect(block: UInt8) -> list[np.ndarray]:
        nonlocal seen
        numbers = range(seen, seen + len(block))
        seen += len(block)
        chosen = set(range(10_000)[frames])
        return [np.array(boxes if number in chosen else ()).reshape(-1, 4) for number in numbers]

    return detect


def decoded(path: Path) -> UInt8:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def by_hand(
    models: SyncModels, frames: UInt8, sound: np.ndarray, track: FaceTrack, offset: float
) -> tuple[float, float, np.ndarray]:
    """Sync-C, Sync-D and the curve of a track in frames at 25 fps, window by window, without streaming.

    At the `offset` that was found, which must be one of the best: random weights tell offsets apart by so little that
    another order of sums may choose another.
    """
    faces = smoothed(track)
    crops = np.stack([crop(frames[track.start + i], face) for i, face in enumerate(faces)])
    part = sound[640 * track.start : 640 * track.end]
    coefficients = np.asarray(speech_mfcc(part, 16_000))
    count = min(len(crops), len(part) // 640) - 5
    lips = np.concatenate([models.encoder.look(crops[t : t + 5]).numpy() for t in range(count)])
    windows = [coefficients[None, 4 * t : 4 * t + 20].swapaxes(1, 2) for t in range(count)]
    heard = np.concatenate([models.encoder.listen(window).numpy() for window in windows])
    padded = np.pad(heard.astype(np.float64), ((15, 15), (0, 0)))
    found = np.array([[np.linalg.norm(lips[t] - padded[t + j] + 1e-6) for j in range(31)] for t in range(count)])
    means = found.mean(axis=0)
    best = 15 - round(offset)
    assert means[best] <= means.min() * (1 + 1e-5)
    raw = np.pad(np.median(means) - found[:, best], 4)
    curve = np.array([np.median(raw[t : t + 9]) for t in range(count)])
    return np.median(means) - means.min(), means.min(), curve


def assert_none(score: SyncScore, frames: int, reason: str, faces: int = 0) -> None:
    assert np.isnan([score.sync_c, score.sync_d, score.offset]).all()
    assert np.isnan(score.confidences).all()
    assert len(score.confidences) == frames
    assert score.faces == faces
    assert reason in score.reason


def test_the_real_detector_with_random_weights_finds_no_face(models: SyncModels, film: Path) -> None:
    """And the video counts as one without a score."""
    assert_none(score_sync(film, None, models), 20, "no face was found in any frame")


def test_a_face_in_some_frames_is_scored_as_the_formulas_say(models: SyncModels, film: Path, tmp_path: Path) -> None:
    """Found in frames 2 to 17 but for two; the score is worked out window by window as well."""
    numbers = [2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14, 15, 16, 17]
    boxes = {number: np.array([BOX]) + number for number in numbers}
    sound = hum(0.8)
    wav = write_wav(tmp_path / "voice.wav", sound)
    seen: list[UInt8] = []

    def detect(block: UInt8) -> list[np.ndarray]:
        start = sum(map(len, seen))
        seen.append(block)
        return [boxes.get(start + i, np.empty((0, 4))) for i in range(len(block))]

    score = score_sync(film, wav, models, detect, min_track=12)
    track = FaceTrack(2, np.concatenate([np.array([BOX]) + number for number in range(2, 18)]), found=14)
    confidence, distance, curve = by_hand(models, decoded(film), sound, track, score.offset)
    assert score.sync_c == pytest.approx(confidence, rel=1e-4)
    assert score.sync_d == pytest.approx(distance, rel=1e-4)
    assert (score.faces, score.reason) == (1, "")
    expected = np.full(20, np.nan)
    expected[4:15] = curve  # 11 windows, each at the middle of its five frames
    np.testing.assert_allclose(score.confidences, expected, rtol=1e-3, atol=1e-5)
    assert score.confidences.dtype == np.float64
    assert confidence > 0
    assert distance > 0


@pytest.mark.slow
def test_several_faces_count_alike(models: SyncModels, tmp_path: Path) -> None:
    """The scores are the means over the tracks, and so is the curve where both have one."""
    film = write_talking(tmp_path / "film.mp4", face_frames(14, 128, 288), sound=hum(0.56))
    left, right = BOX, (160.0, 10.0, 265.0, 120.0)
    both = score_sync(film, None, models, given(left, right), min_track=12)
    each = [score_sync(film, None, models, given(one), min_track=12) for one in (left, right)]
    assert both.faces == 2
    for name in ("sync_c", "sync_d", "offset"):
        values = [getattr(one, name) for one in each]
        assert getattr(both, name) == pytest.approx(np.mean(values), rel=1e-6)
    assert each[0].sync_d != each[1].sync_d
    np.testing.assert_allclose(both.confidences, (each[0].confidences + each[1].confidences) / 2, rtol=1e-6, atol=1e-9)


def test_films_of_16_frames_a_second_are_scored_at_25(models: SyncModels, tmp_path: Path) -> None:
    """As if their frames were repeated; the detector sees each once."""
    slow = write_video(tmp_path / "slow.mp4", face_frames(9), fps=16)
    wav = write_wav(tmp_path / "voice.wav", hum(0.56))
    detect, seen = given(BOX), []
    score = score_sync(slow, wav, models, lambda block: seen.append(len(block)) or detect(block), min_track=12)
    assert sum(seen) == 9
    shown = [0, 0, 1, 2, 2, 3, 4, 4, 5, 6, 6, 7, 7, 8]  # frame k: (k + 1/2) 16 / 25, rounded up, - 1
    track = FaceTrack(0, np.repeat([BOX], 14, axis=0), 14)
    confidence, distance, curve = by_hand(models, decoded(slow)[shown], hum(0.56), track, score.offset)
    assert (score.sync_c, score.sync_d) == pytest.approx((confidence, distance), rel=1e-4)
    np.testing.assert_allclose(score.confidences[2:11], curve, rtol=1e-3, atol=1e-5)
    assert np.isnan(score.confidences[[0, 1, 11, 12, 13]]).all()


def test_sound_that_ends_first_leaves_the_rest_unscored(models: SyncModels, film: Path, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "voice.wav", hum(0.44))
    with pytest.warns(
        UserWarning, match=r"its sound ends after 0\.44 s of 0\.80 s, so the last 9 frames .* not scored"
    ):
        score = score_sync(film, wav, models, given(BOX), min_track=12)
    assert np.isfinite(score.confidences).nonzero()[0].tolist() == [2, 3, 4, 5, 6, 7]  # 11 frames less 5
    track = FaceTrack(0, np.repeat([BOX], 20, axis=0), 20)
    confidence, distance, _ = by_hand(models, decoded(film), hum(0.44), track, score.offset)
    assert (score.sync_c, score.sync_d) == pytest.approx((confidence, distance), rel=1e-4)


def test_a_face_after_the_sound_has_no_score(models: SyncModels, film: Path, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "voice.wav", hum(0.4))
    with pytest.warns(UserWarning, match="the last 10 frames"):
        score = score_sync(film, wav, models, given(BOX, frames=slice(6, 20)), min_track=12)
    assert_none(score, 20, "no face is to be seen while there is sound", faces=1)


def test_longer_sound_changes_nothing(models: SyncModels, film: Path, tmp_path: Path) -> None:
    scores = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for seconds in (0.8, 2):
            wav = write_wav(tmp_path / f"{seconds}.wav", hum(seconds))
            scores.append(score_sync(film, wav, models, given(BOX, frames=slice(7, 20)), min_track=12))
    assert scores[0].sync_d == scores[1].sync_d
    assert np.array_equal(scores[0].confidences, scores[1].confidences, equal_nan=True)


def test_faces_too_short_or_too_small_are_none(models: SyncModels, film: Path) -> None:
    assert_none(
        score_sync(film, None, models, given(BOX)), 20, "in more than 100 frames of a shot (the longest track has 20)"
    )
    small = given((20, 20, 100, 119))
    assert_none(score_sync(film, None, models, small, min_track=12), 20, "larger than 100 pixels (the largest is 99)")


def test_a_cut_ends_a_track(models: SyncModels, tmp_path: Path) -> None:
    frames = face_frames(30)
    frames[16:] = 255 - frames[16:]
    film = write_talking(tmp_path / "film.mp4", frames, sound=hum(1.2))
    score = score_sync(film, None, models, given(BOX), min_track=12)
    assert score.faces == 2
    assert np.isfinite(score.confidences).nonzero()[0].tolist() == [*range(2, 13), *range(18, 27)]


def test_a_video_without_sound_is_refused_unless_a_file_has_it(models: SyncModels, tmp_path: Path) -> None:
    silent = write_video(tmp_path / "silent.mp4", face_frames(6), fps=25)
    with pytest.raises(ValueError, match=r"silent\.mp4: received a file without sound"):
        score_sync(silent, None, models)
    wav = write_wav(tmp_path / "voice.wav", hum(0.24))
    assert_none(score_sync(silent, wav, models), 6, "no face was found")


def test_damaged_and_too_short_videos_are_refused(models: SyncModels, film: Path, tmp_path: Path) -> None:
    wav = write_wav(tmp_path / "voice.wav", hum(1))
    one = write_video(tmp_path / "one.mp4", face_frames(1), fps=25)
    with pytest.raises(ValueError, match=r"one\.mp4: received 1 frame, expected at least 2"):
        score_sync(one, wav, models)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(film.read_bytes()[:-2000])
    with pytest.raises(ValueError, match=r"cut\.mp4: received an unreadable file"):
        score_sync(cut, wav, models)
    early = write_talking(tmp_path / "early.mp4", face_frames(20), sound=hum(0.8), index_first=True)
    early.write_bytes(early.read_bytes()[: early.stat().st_size // 2])
    with pytest.raises(ValueError, match=r"early\.mp4: received \d+ readable frames, expected 20"):
        score_sync(early, None, models)
    with pytest.raises(ValueError, match="expected an existing file"):
        score_sync(tmp_path / "none.mp4", wav, models)
    with pytest.raises(ValueError, match="min_track: received 11 frames, expected at least 12"):
        score_sync(film, wav, models, min_track=11)
