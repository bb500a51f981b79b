"""Samples of dancing people: pictures with their skeletons, of videos, key points and the authors' pickles."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from svi.data.samples import POSE, VIDEO
from svi.preparation.dance import dance_sources
from svi.preparation.source import Made
from tests.svi.data.videos import tear
from tests.svi.preparation.sources import SIZE, Runs, greys, jpegs, levels_of, read_video, write_pickle, write_video


def made(root: Path, target: Path, rate: int = 25) -> Made:
    """The one sample of a folder."""
    [source], lacking = dance_sources(root, Fraction(rate))
    assert lacking == []
    target.mkdir()
    return source.make(target)


def sample(root: Path) -> Path:
    folder = root / "one"
    folder.mkdir(parents=True)
    return folder


def test_a_video_and_one_of_its_skeletons(tmp_path: Path) -> None:
    folder = sample(tmp_path / "in")
    write_video(folder / "video.mp4", greys(30), 24)
    write_video(folder / "dwpose.mp4", greys(30)[::-1], 24, size=(24, 32))
    assert made(tmp_path / "in", tmp_path / "out") == Made(30, 1.25, "")
    for name, levels in ((VIDEO, greys(30)), (POSE, greys(30)[::-1])):
        assert np.abs(levels_of(tmp_path / "out" / name) - levels).max() < 4
        assert read_video(tmp_path / "out" / name)[1] == 24


def test_as_many_skeletons_as_pictures_belong_together_whatever_their_rate(tmp_path: Path) -> None:
    folder = sample(tmp_path / "in")
    write_video(folder / "video.mp4", greys(31), 30)
    write_video(folder / "pose.mp4", greys(30), 24)
    assert made(tmp_path / "in", tmp_path / "out") == Made(30, 1.0, "")
    assert np.abs(levels_of(tmp_path / "out" / POSE) - greys(30)).max() < 4
    assert read_video(tmp_path / "out" / POSE)[1] == 30


def test_skeletons_at_another_rate_that_last_as_long_are_taken_by_time(tmp_path: Path) -> None:
    folder = sample(tmp_path / "in")
    write_video(folder / "video.mp4", greys(60), 30)
    write_video(folder / "pose.mp4", greys(20), 10)
    assert made(tmp_path / "in", tmp_path / "out") == Made(60, 2.0, "")
    found = levels_of(tmp_path / "out" / POSE)
    assert np.abs(found[::3] - greys(20)).max() < 4
    assert len(found) == 60


def test_key_points_are_drawn_as_large_as_their_video(tmp_path: Path) -> None:
    folder = sample(tmp_path / "in")
    write_video(folder / "video.mp4", greys(10), 25)
    body = np.zeros((10, 18, 3), np.float32)
    body[:, :2] = [[0.5, 0.25, 1], [0.5, 0.75, 1]]  # a nose above a neck
    np.savez(folder / "pose.npz", body=body, fps=25.0, size=np.array([96, 128]))
    assert made(tmp_path / "in", tmp_path / "out") == Made(10, 0.4, "")
    drawn = read_video(tmp_path / "out" / POSE)[0]
    assert drawn.shape == (10, 96, 128, 3)
    lit = drawn.max(axis=-1) > 60
    assert lit[:, 24:72, 62:67].mean() > 0.5
    assert not lit[:, :, :50].any()


def test_the_authors_pickles(tmp_path: Path) -> None:
    folder = tmp_path / "in" / "00001_mp4"
    write_pickle(folder / "frame_data.pkl", jpegs(greys(12)))
    write_pickle(folder / "dw_pose_with_foot_wo_face.pkl", jpegs(greys(13)[::-1], (24, 32)))
    write_pickle(folder / "dw_pose_with_foot_with_face.pkl", Runs(tmp_path / "ran"))  # which nothing reads here
    assert made(tmp_path / "in", tmp_path / "out", rate=30) == Made(12, 0.4, "")
    assert np.abs(levels_of(tmp_path / "out" / POSE) - greys(13)[:0:-1]).max() < 2
    assert read_video(tmp_path / "out" / VIDEO)[1:] == (30, "mjpeg")
    assert not (tmp_path / "ran").exists()


def test_skeletons_with_faces_are_taken_where_there_are_no_others(tmp_path: Path) -> None:
    write_pickle(tmp_path / "in" / "one" / "frame_data.pkl", jpegs(greys(5)))
    write_pickle(tmp_path / "in" / "one" / "dw_pose_with_foot_with_face.pkl", jpegs(greys(5)))
    assert "skeletons with faces" in made(tmp_path / "in", tmp_path / "out").note


@pytest.mark.parametrize(
    ("count", "rate", "size", "said"),
    [
        (20, 25, (48, 64), r"20 skeletons at 25 a second \(0.80 s\) for 50 pictures at 25 \(2.00 s\)"),
        (80, 25, (48, 64), r"80 skeletons"),
        (50, 25, (64, 48), "the skeletons are 48 x 64 pixels, the video 64 x 48"),
    ],
)
def test_skeletons_of_something_else_are_refused(
    tmp_path: Path, count: int, rate: int, size: tuple[int, int], said: str
) -> None:
    folder = sample(tmp_path / "in")
    write_video(folder / "video.mp4", greys(50))
    write_video(folder / "dwpose.mp4", greys(count), rate, size)
    with pytest.raises(ValueError, match=said):
        made(tmp_path / "in", tmp_path / "out")


@pytest.mark.parametrize("torn", ["dwpose.mp4", "video.mp4"])
def test_a_video_that_is_torn_in_its_middle_is_refused_by_name(tmp_path: Path, torn: str) -> None:
    folder, noise = sample(tmp_path / "in"), np.random.default_rng(0).integers(0, 255, (50, *SIZE, 3), np.uint8)
    for name in ("video.mp4", "dwpose.mp4"):
        write_video(folder / name, list(noise))
    tear(folder / torn, folder / torn, 0.4, 0.6)
    with pytest.raises(ValueError, match=rf"{torn}: received an unreadable video .*copy it again"):
        made(tmp_path / "in", tmp_path / "out")


def test_pictures_without_a_skeleton_are_refused(tmp_path: Path) -> None:
    write_pickle(tmp_path / "in" / "one" / "frame_data.pkl", jpegs(greys(5)))
    write_pickle(tmp_path / "in" / "one" / "dw_pose_with_foot_wo_face.pkl", jpegs(greys(3)))
    with pytest.raises(ValueError, match=r"no skeleton for 2 of 5 pictures \(000003\.jpg is the first\)"):
        made(tmp_path / "in", tmp_path / "out")


def test_a_pickle_that_would_run_is_refused_and_does_not(tmp_path: Path) -> None:
    write_pickle(tmp_path / "in" / "one" / "frame_data.pkl", {"000000.jpg": Runs(tmp_path / "ran")})
    write_pickle(tmp_path / "in" / "one" / "dw_pose_with_foot_wo_face.pkl", jpegs(greys(3)))
    with pytest.raises(ValueError, match=r"frame_data\.pkl: received a pickle with pathlib.* nothing of it was run"):
        made(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_what_lacks_a_part_is_named(tmp_path: Path) -> None:
    for name, file in (("a", "video.mp4"), ("b", "dwpose.mp4"), ("c", "video.mp4"), ("c", "pose.json")):
        (tmp_path / name).mkdir(exist_ok=True)
        (tmp_path / name / file).touch()
    sources, lacking = dance_sources(tmp_path, Fraction(25))
    assert [source.name for source in sources] == ["c"]
    assert [name for name, _ in lacking] == ["a", "b"]
    assert "a lacks dwpose.mp4 or pose.mp4 or pose.npz" in lacking[0][1]
    assert "b lacks video.mp4 or frame_data.pkl" in lacking[1][1]


def test_a_folder_of_nothing_known_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(ValueError, match="expected a folder a sample"):
            dance_sources(folder, Fraction(25))
