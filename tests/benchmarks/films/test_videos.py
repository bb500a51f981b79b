"""Videos of any method as films of a track: what is off is said before anything is scored."""

import json
import shutil
import warnings
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.films.videos import VideoFolder
from benchmarks.track import get_track
from tests.benchmarks.vbench.vbench_videos import BT709, moving_frames, write_video

TRACK = get_track("consistent-50s")


def write(folder: Path, name: str, frames: int = 100, fps: int = 2, height: int = 32, width: int = 48) -> Path:
    folder.mkdir(exist_ok=True)
    return write_video(folder / f"{name}.mp4", moving_frames(frames, height, width), fps)


def test_videos_are_films_in_windows_of_five_seconds(tmp_path: Path) -> None:
    for name in ("b", "a"):
        write(tmp_path, name)
    films = VideoFolder(tmp_path, TRACK)
    assert films.names == ["a", "b"]
    assert films.film(0).clips[1] == slice(10, 20)
    assert films.resolutions == [(32, 48)]
    assert "--samples" in films.notes[0]
    assert films.film(1).frames[0:1].shape == (1, 32, 48, 3)


def test_lists_of_samples_are_told_apart_by_content_or_by_names(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path, name)
    named = VideoFolder(tmp_path, TRACK, (["a", "b"], "5a"))
    assert named.samples_hash == "5a"
    assert (named.notes, named.by_name) == ([], False)
    first = VideoFolder(tmp_path, TRACK, (["a"], "5b"))
    assert first.names == ["a"]
    assert "1 videos belong to no sample" in first.notes[0]
    before = VideoFolder(tmp_path, TRACK)
    assert before.by_name
    write(tmp_path, "c")
    assert VideoFolder(tmp_path, TRACK).samples_hash != before.samples_hash


def test_everything_that_is_off_is_said_at_once(tmp_path: Path) -> None:
    write(tmp_path, "good")
    write(tmp_path, "fast", frames=200, fps=4)
    write(tmp_path, "wide", width=64)
    write(tmp_path, "short", frames=50)
    with pytest.raises(ValueError, match=r"videos in .*") as error:
        VideoFolder(tmp_path, TRACK)
    text = str(error.value)
    assert "fps: received 4 (1, such as fast.mp4), 2 (3, such as good.mp4), expected the same of all" in text
    assert "size: received 48x32 (3, such as fast.mp4), 64x32 (1, such as wide.mp4)" in text
    assert "short.mp4: " in text
    assert "50 frames" in text


def test_a_missing_a_torn_and_a_one_frame_video_are_named(tmp_path: Path) -> None:
    whole = write(tmp_path, "torn").read_bytes()
    (tmp_path / "torn.mp4").write_bytes(whole[: len(whole) // 2])
    write(tmp_path, "still", frames=1)
    with pytest.raises(ValueError, match=r"lost: no lost\.mp4 for this sample") as error:
        VideoFolder(tmp_path, TRACK, (["lost", "torn", "still"], "0"))
    assert "torn.mp4" in str(error.value)
    assert "received 1 frame" in str(error.value)


@pytest.mark.parametrize(("name", "says"), [("none", "expected a folder of mp4 files"), ("", "without an .mp4")])
def test_a_folder_without_videos_is_refused(tmp_path: Path, name: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        VideoFolder(tmp_path / name, TRACK)


def test_a_much_longer_video_is_scored_and_noted(tmp_path: Path) -> None:
    write(tmp_path, "long", frames=120)
    films = VideoFolder(tmp_path, TRACK)
    assert films.film(0).clips[-1] == slice(90, 120)
    assert "lasts 60.0 s on a track of 50 s" in films.notes[0]


def test_a_track_with_a_rate_of_its_own_refuses_another(tmp_path: Path) -> None:
    write(tmp_path, "talk", frames=600)
    with pytest.raises(ValueError, match="expected 25") as error:
        VideoFolder(tmp_path, get_track("talk-300s"))
    assert str(error.value).count("expected 25") == 1


def test_true_videos_make_fidelity_possible(tmp_path: Path) -> None:
    from benchmarks.films.reference import ReferenceFolder
    from benchmarks.scorers.fidelity import FidelityScorer

    (tmp_path / "true").mkdir()
    shutil.copy(write(tmp_path / "ours", "a"), tmp_path / "true")
    films = VideoFolder(tmp_path / "ours", TRACK, reference=ReferenceFolder(tmp_path / "true"))
    assert films.missing("continuation") is None
    np.testing.assert_array_equal(FidelityScorer().score(films.film(0))["psnr"], 100)
    assert VideoFolder(tmp_path / "ours", TRACK).missing("continuation") is not None


def test_letter_case_of_mp4_does_not_matter_and_other_videos_are_noted(tmp_path: Path) -> None:
    shutil.move(write(tmp_path, "a"), tmp_path / "a.MP4")
    for name in ("b.mov", "c.WebM"):
        (tmp_path / name).touch()
    films = VideoFolder(tmp_path, TRACK)
    assert films.names == ["a"]
    assert "2 videos are no mp4 and left out: b.mov, c.WebM" in films.notes
    write(tmp_path, "a")
    with pytest.raises(ValueError, match=r"received a\.MP4 and a\.mp4, expected one video a name"):
        VideoFolder(tmp_path, TRACK)


def test_a_fragmented_video_and_one_with_an_edit_list_have_the_frames_that_are_counted(tmp_path: Path) -> None:
    whole = write(tmp_path / "whole", "a", frames=112)
    fragments = remuxed(whole, tmp_path / "ours" / "a.mp4", {"movflags": "frag_keyframe+empty_moov"})
    films = VideoFolder(fragments.parent, TRACK)
    frames, expected = films.film(0).frames, VideoFolder(whole.parent, TRACK).film(0).frames[0:112]
    assert frames.shape == (112, 32, 48, 3)
    np.testing.assert_array_equal(frames[100:112], expected[100:])
    np.testing.assert_array_equal(frames[0:20], expected[:20])
    cut = remuxed(whole, tmp_path / "cut" / "a.mp4", {}, drop_seconds=4)
    np.testing.assert_array_equal(VideoFolder(cut.parent, TRACK).film(0).frames[0:104], expected[8:])


def remuxed(source: Path, target: Path, options: dict[str, str], drop_seconds: int = 0) -> Path:
    """The same packets; the first seconds are left to an edit list to cut away."""
    target.parent.mkdir()
    with av.open(str(source)) as read, av.open(str(target), "w", options=options) as write_to:
        stream = write_to.add_stream_from_template(read.streams.video[0])
        for packet in read.demux(video=0):
            if packet.size and packet.pts is not None and packet.dts is not None and packet.time_base is not None:
                shift = round(drop_seconds / packet.time_base)
                packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, stream
                write_to.mux(packet)
    return target


def test_fewer_frames_than_counted_name_the_file_and_the_remedy(tmp_path: Path) -> None:
    from benchmarks.films.mp4 import Mp4Frames

    frames = Mp4Frames(write(tmp_path, "a", frames=6), 7)
    with pytest.raises(ValueError, match=r"a\.mp4: frame 6 cannot be decoded, expected 7 frames.*remux it"):
        frames[0:7]


def test_colour_tags_are_one_note(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write_video(tmp_path / f"{name}.mp4", moving_frames(100, 32, 48), 2, colour=BT709)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        films = VideoFolder(tmp_path, TRACK, (["a", "b", "c"], "5a"))
    (note,) = films.notes
    assert "a.mp4: its colour tag is bt709" in note
    assert note.endswith("(the same of 2 more)")


def test_videos_of_named_samples_may_have_a_size_each(tmp_path: Path) -> None:
    from benchmarks.films.reference import ReferenceFolder

    for name, width in (("a", 48), ("b", 64), ("c", 48)):
        write(tmp_path, name, width=width)
    films = VideoFolder(tmp_path, TRACK, (["a", "b", "c"], "5a"), ReferenceFolder(tmp_path))
    assert films.resolutions == [(32, 48), (32, 64)]
    true = films.film(1).continuation
    assert true is not None
    assert true.shape == films.film(1).frames.shape == (100, 32, 64, 3)
    with pytest.raises(ValueError, match="size: received 48x32"):
        VideoFolder(tmp_path, TRACK)


def test_what_the_judge_has_scored_is_kept_when_the_videos_move(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.suites.official import OfficialSuite
    from tests.benchmarks.vbench.vbench_weights import write_clip_b

    for name in ("VBENCH_CACHE_DIR", "TORCH_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    write_clip_b(tmp_path, width=64, layers=1)
    for name in ("a", "b"):
        write(tmp_path / "moved", name)
    kept = tmp_path / "work" / "background_consistency" / "official.json"
    kept.parent.mkdir(parents=True)
    videos = {f"/before/{name}.mp4": {"value": value, "frames": None} for name, value in (("a", 0.25), ("b", 0.5))}
    about = {"overall": 0.375, "seconds": 1.0, "peak_bytes": 1, "versions": {}, "videos": videos}
    kept.write_text(json.dumps({"background_consistency": about}))
    suite = OfficialSuite(("background_consistency",), tmp_path / "no environment", "cpu")
    found = suite.score(VideoFolder(tmp_path / "moved", TRACK), tmp_path / "work", lambda done, total: None)
    np.testing.assert_array_equal(found.values["background_consistency.official"], [0.25, 0.5])
