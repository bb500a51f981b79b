"""Reference videos: found by name, checked against the films, read in slices by the fidelity scorer."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from benchmarks.films.film import Film
from benchmarks.films.mp4 import Mp4Frames
from benchmarks.films.reference import ReferenceFolder
from benchmarks.scorers.fidelity import FidelityScorer, psnr, ssim
from benchmarks.track import clip_slices
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video

FPS, CLIPS = 16, clip_slices(21, clips=2, clip_frames=12, overlap=3)
SHAPE = (21, 48, 64, 3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """References "a" and "b" of 21 frames."""
    (tmp_path / "reference").mkdir()
    for seed, name in enumerate(("a", "b")):
        write_video(tmp_path / "reference" / f"{name}.mp4", moving_frames(21, 48, 64, seed), FPS)
    return tmp_path / "reference"


def test_fidelity_is_scored_from_two_mp4s(folder: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(-20, 21, SHAPE)
    film = np.clip(moving_frames(21, 48, 64) + noise, 0, 255).astype(np.uint8)
    frames = Mp4Frames(write_video(tmp_path / "film.mp4", film, FPS))
    reference = ReferenceFolder(folder).frames("a", FPS, frames.shape)
    scores = FidelityScorer().score(Film(frames, FPS, CLIPS, continuation=reference))
    x, y = (Mp4Frames(path)[:] / 255 for path in (tmp_path / "film.mp4", folder / "a.mp4"))
    for name, measure in (("psnr", psnr), ("ssim", ssim)):
        assert scores[name] == pytest.approx([measure(x[clip], y[clip]).mean() for clip in CLIPS], abs=1e-9)
    assert all(15 < value < 40 for value in scores["psnr"])
    same = FidelityScorer().score(Film(Mp4Frames(folder / "a.mp4"), FPS, CLIPS, continuation=reference))
    assert (same["psnr"].tolist(), same["ssim"].tolist()) == ([100, 100], pytest.approx([1, 1]))


def test_a_film_does_not_take_a_continuation_of_another_shape(folder: Path) -> None:
    reference = ReferenceFolder(folder).frames("a", FPS, SHAPE)
    with pytest.raises(
        ValueError, match=r"continuation: received \(21, 48, 64, 3\), expected the film's \(21, 48, 32, 3\)"
    ):
        Film(np.zeros((21, 48, 32, 3), dtype=np.uint8), FPS, CLIPS, continuation=reference)


def test_references_are_found_by_name(folder: Path) -> None:
    references = ReferenceFolder(folder)
    assert references.video("b") == folder / "b.mp4"
    references.check({"a": SHAPE, "b": SHAPE}, FPS)
    with pytest.raises(ValueError, match=r"received no bb\.mp4 among 2 videos \(did you mean b\.mp4\?\)"):
        references.video("bb")


def test_what_is_off_is_said(folder: Path) -> None:
    references = ReferenceFolder(folder)
    for shape, fps, message in [
        (SHAPE, 24, r"a\.mp4: received 16 fps, expected the film's 24"),
        ((21, 480, 832, 3), FPS, r"a\.mp4: received 64x48 pixels, expected the film's 832x480; it is not resized"),
        ((20, 48, 64, 3), FPS, r"a\.mp4: received 21 frames, expected the film's 20; cut it"),
        ((99, 48, 64, 3), FPS, r"a\.mp4: received 21 frames, expected the film's 99; take a longer one"),
    ]:
        with pytest.raises(ValueError, match=message):
            references.frames("a", fps, shape)


def test_everything_that_is_off_is_said_at_once(folder: Path) -> None:
    (folder / "b.mp4").write_bytes((folder / "b.mp4").read_bytes()[:200])
    shapes = {"a": (20, 48, 32, 3), "b": SHAPE, "c": SHAPE, "d": SHAPE}
    with pytest.raises(ValueError, match="fps") as refusal:
        ReferenceFolder(folder).check(shapes, 25)
    message = str(refusal.value)
    for part in (
        "16 fps",
        "64x48 pixels",
        "21 frames",
        "b.mp4: received an unreadable file",
        "no c.mp4",
        "; and 1 more",
    ):
        assert part in message


def test_a_rate_rounded_to_three_decimals_is_the_same(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", moving_frames(4, 48, 64), 25)
    ReferenceFolder(tmp_path).check({"a": (4, 48, 64, 3)}, 25.001)
    with pytest.raises(ValueError, match=r"received 25 fps, expected the film's 25\.025"):
        ReferenceFolder(tmp_path).check({"a": (4, 48, 64, 3)}, 25 * 1001 / 1000)


def test_a_folder_without_videos_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"without an \.mp4"):
        ReferenceFolder(tmp_path)
    with pytest.raises(ValueError, match="expected a folder with one mp4 for each sample"):
        ReferenceFolder(tmp_path / "absent")


def test_memory_is_that_of_a_block(tmp_path: Path) -> None:
    peaks = []
    for count in (60, 240):
        write_video(tmp_path / f"{count}.mp4", moving_frames(60, 64, 96)[np.arange(count) % 60], FPS)
        reference = ReferenceFolder(tmp_path).frames(str(count), FPS, (count, 64, 96, 3))
        clips = clip_slices(count, 1, count, 0)
        tracemalloc.start()
        FidelityScorer().score(Film(Mp4Frames(tmp_path / f"{count}.mp4"), FPS, clips, continuation=reference))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.05 * peaks[0]
