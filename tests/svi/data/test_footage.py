"""Where clips come from: the embedded world, and real videos in the authors' layout."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np
import psutil
import pytest

from svi.data import world
from svi.data.footage import Unreadable, VideoFootage, WorldFootage, open_footage
from svi.data.open_video import OpenVideo
from svi.generation.video import write_mp4
from svi.settings import DataSettings
from tests.svi.data.videos import levels, make_video, tear

SHARED = Path(__file__).parents[4] / "shared" / "data" / "svi-toy"
SETTINGS = DataSettings(height=16, width=24, fps=8)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "Cats"
    folder.mkdir()
    make_video(folder / "one.mp4")
    make_video(folder / "two.mp4")
    (folder / "Cats.csv").write_text('Video Title,Video Description,Filename\nx,"A cat, asleep",one.mp4\n')
    return tmp_path


def test_the_worlds_clips_are_drawn_in_order_and_rendered_when_read() -> None:
    settings = DataSettings(clips=5, references=3)
    footage = open_footage(settings)
    rng = np.random.default_rng(settings.seed)
    for i in range(5):
        scene = world.draw_scene(rng, settings.height, settings.width)
        film = world.render([scene] * (2 * settings.clip_frames + 1))
        frames, prompt, signals = footage.read(i)
        assert not signals
        assert (frames == film[: settings.clip_frames]).all()
        assert prompt == footage.prompt(i) == scene.prompt
        assert (footage.references(i) == film[[0, settings.clip_frames, 2 * settings.clip_frames]]).all()
    assert (len(footage), footage.skipped, footage.held_back()) == (5, [], [])


def test_a_later_clip_of_the_world_goes_on_where_the_film_is_by_then() -> None:
    footage = open_footage(DataSettings(clips=12))
    for i in range(12):
        film = world.render([footage.scenes[i]] * 30)  # type: ignore[attr-defined]
        for frames in (0, 4, 25):
            clip = footage.later(i, frames)
            assert (np.abs(clip.frames.astype(int) - film[frames : frames + 5]) <= 64).all()
            assert (
                clip.frames == film[frames : frames + 5]
            ).mean() > 0.99  # a sum of steps rounds otherwise at an edge
            assert clip.prompt == footage.prompt(i)
        assert footage.room(i) > 10**6


def test_a_reversed_prompt_names_what_the_film_shows_backwards() -> None:
    """The same frames: the reversed scene, begun where the film ends."""
    footage = open_footage(DataSettings(clips=12))
    for i, scene in enumerate(footage.scenes):  # type: ignore[attr-defined]
        film = world.render([scene] * 9)
        backwards = scene.later(8).reversed
        assert (world.render([backwards] * 9) == film[::-1]).mean() > 0.99
        assert backwards.prompt == footage.reversed_prompt(i)
        old, new = scene.prompt.split(), backwards.prompt.split()
        assert [a == b for a, b in zip(old, new, strict=True)] == [True, True, True, False, True, True]


def test_a_later_clip_of_a_video_ends_before_what_is_held_back(root: Path) -> None:
    footage = VideoFootage(root, SETTINGS)
    assert [footage.room(i) for i in (0, 7, 14, 15)] == [14, 7, 0, 14]
    assert (footage.later(2, 9).frames == footage.read(11).frames).all()
    with pytest.raises(ValueError, match="'A cat, asleep' names a motion in words of its own"):
        footage.reversed_prompt(0)


def test_captions_and_windows(root: Path) -> None:
    footage = VideoFootage(root, SETTINGS)
    clips = [footage.read(i) for i in range(len(footage))]
    assert len(clips) == 2 * (19 - 5 + 1)  # 24 frames, one clip of 5 kept, a window a frame
    assert [c.prompt for c in clips] == ["A cat, asleep"] * 15 + ["A video from Cats category"] * 15
    whole = OpenVideo(root / "Cats" / "one.mp4", SETTINGS).frames(range(24))
    assert all((clips[i].frames == whole[i : i + 5]).all() for i in range(15))
    assert (footage.read(7).frames == clips[7].frames).all()
    assert footage.skipped == []


def test_the_end_of_each_video_is_held_back(root: Path) -> None:
    footage = VideoFootage(root, SETTINGS.model_copy(update={"hold_back": 0.3}))
    stills = footage.held_back()
    assert [s.prompt for s in stills] == ["A cat, asleep", "A video from Cats category"]
    last = levels(footage.read(len(footage) - 1).frames)[-1]
    assert all(s.image.shape == (16, 24, 3) and s.image.mean() > last + 5 for s in stills)
    assert VideoFootage(root, SETTINGS.model_copy(update={"hold_back": 0})).held_back() == []


def test_references_lie_outside_the_clip_and_never_in_what_is_held_back(root: Path) -> None:
    footage = VideoFootage(root, SETTINGS.model_copy(update={"references": 14}))
    video = OpenVideo(root / "Cats" / "one.mp4", SETTINGS).frames(range(24))
    outside = {video[i].tobytes() for i in (*range(4), *range(9, 19))}
    references = footage.references(4)
    assert {image.tobytes() for image in references} == outside  # 14 of the 19 frames for training are not in clip 4
    fewer = VideoFootage(root, SETTINGS.model_copy(update={"references": 2}))
    assert (fewer.references(4) == references[:2]).all()
    assert (fewer.references(4) != fewer.references(19)).any()  # each clip, and each file, has draws of its own


def test_references_from_the_clip(root: Path) -> None:
    footage = VideoFootage(root, SETTINGS.model_copy(update={"references": 7, "reference_from": "clip"}))
    references = footage.references(4)
    assert {image.tobytes() for image in references} == {image.tobytes() for image in footage.read(4).frames}
    assert (references[5:] == references[:2]).all()  # a clip of five frames has no more


def test_a_video_as_long_as_its_clip_is_its_own_reference(root: Path) -> None:
    footage = VideoFootage(root, SETTINGS.model_copy(update={"clip_frames": 24, "hold_back": 0}))
    assert len(footage) == 2
    assert footage.references(0)[0].tobytes() in {image.tobytes() for image in footage.read(0).frames}


def test_unreadable_and_empty_files_are_named_and_skipped(root: Path) -> None:
    (root / "Cats" / "broken.mp4").write_bytes(b"not a video")
    (root / "Cats" / "empty.mp4").write_bytes(b"")
    (root / "Cats" / "cut.mp4").write_bytes((root / "Cats" / "one.mp4").read_bytes()[:400])
    with av.open(str(root / "Cats" / "none.mp4"), "w") as container:  # a header, and not one frame
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    tear(root / "Cats" / "torn.mp4", root / "Cats" / "one.mp4", 0, 0.5)
    with av.open(str(root / "Cats" / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    footage = VideoFootage(root, SETTINGS)
    names = ["broken", "cut", "empty", "none", "sound", "torn"]
    assert sorted(name for name, _ in footage.skipped) == [f"Cats/{name}.mp4" for name in names]
    assert all("unreadable" in why for _, why in footage.skipped)
    assert len(footage) == 30


def test_a_video_torn_in_its_middle_gives_its_readable_clips(root: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (200, 16, 24, 3)).astype(np.uint8)
    write_mp4(root / ".whole.mp4", noise, 16, 16, 24)
    for file in (root / "Cats").iterdir():
        file.unlink()
    tear(root / "Cats" / "torn.mp4", root / ".whole.mp4", 0.5, 0.7)
    footage = VideoFootage(root, SETTINGS.model_copy(update={"hop": 5}))
    assert (len(footage), footage.skipped) == (18, [])  # nothing to be seen in the header
    whole = OpenVideo(root / ".whole.mp4", SETTINGS).frames(range(100))
    for i in range(6):
        assert (footage.read(i).frames == whole[5 * i : 5 * i + 5]).all()
    for i in range(12, 18):
        with pytest.raises(Unreadable, match=r"Cats/torn\.mp4: unreadable: it cannot be decoded"):
            footage.read(i)
    assert (footage.read(0).frames == whole[:5]).all()
    assert footage.held_back() == []
    assert footage.skipped[0][0] == "Cats/torn.mp4"


def test_a_video_too_short_for_a_clip_is_skipped(root: Path) -> None:
    make_video(root / "Cats" / "short.mp4", frames=8)
    footage = VideoFootage(root, SETTINGS)
    assert footage.skipped == [("Cats/short.mp4", "too short: 4 frames at 8 fps, and a clip has data.clip_frames=5")]
    assert len(footage.held_back()) == 2


def test_an_end_is_held_back_only_where_a_clip_remains(root: Path) -> None:
    make_video(root / "Cats" / "short.mp4", frames=18)
    footage = VideoFootage(root, SETTINGS)
    assert [(v.name, v.clips) for v in footage.videos] == [
        ("Cats/one.mp4", 15),
        ("Cats/short.mp4", 5),
        ("Cats/two.mp4", 15),
    ]
    assert len(footage.held_back()) == 2
    assert "1 of 3 videos are trained on whole: shorter than two clips, they leave no end to hold back" in footage.notes


def test_films_start_from_last_frames_where_training_needs_all_videos_whole(root: Path) -> None:
    footage = VideoFootage(root, SETTINGS.model_copy(update={"clip_frames": 13}))
    assert len(footage) == 2 * (24 - 13 + 1)
    last = footage.read(11).frames[-1]
    assert [(still.image == last).all() for still in footage.held_back()] == [True, True]
    assert (
        footage.notes[-1]
        == "films start from the last frames of these videos; eval.path=FOLDER starts them from others"
    )


def test_the_fingerprint_follows_whatever_changes_a_clip(root: Path) -> None:
    def fingerprint(**update: object) -> str:
        return VideoFootage(root, SETTINGS.model_copy(update=update)).fingerprint

    first = fingerprint()
    assert fingerprint() == first
    others = {fingerprint(hop=2), fingerprint(width=32), fingerprint(fps=4), fingerprint(hold_back=0.0)}
    (root / "Cats" / "Cats.csv").write_text("Filename,Video Description\none.mp4,Another cat\n")
    others.add(fingerprint())
    make_video(root / "Cats" / "two.mp4", frames=40)
    others.add(fingerprint())
    assert len(others | {first}) == 7
    worlds = [
        DataSettings(clips=4),
        DataSettings(clips=5),
        DataSettings(clips=4, seed=8),
        DataSettings(clip_frames=6, clips=4),
    ]
    assert len({WorldFootage(settings).fingerprint for settings in worlds}) == 4


def test_nothing_usable_is_an_error_that_says_so(root: Path) -> None:
    for file in (root / "Cats").iterdir():
        file.unlink()
    (root / "Cats" / "broken.mp4").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"no usable video in .* \(Cats/broken\.mp4: unreadable"):
        VideoFootage(root, SETTINGS)


def memory_of_reading(root: Path) -> tuple[int, list[int]]:
    """Bytes of a clip, and of this process after reading each one."""
    footage = VideoFootage(root, DataSettings(height=256, width=384, fps=16, clip_frames=16, hold_back=0))
    used = [psutil.Process().memory_info().rss for i in range(len(footage)) if footage.read(i)]
    return footage.read(0).frames.nbytes, used


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_videos(tmp_path: Path) -> None:
    (tmp_path / "Cats").mkdir()
    video = make_video(tmp_path / "Cats" / "000.mp4", frames=16)
    for i in range(1, 60):
        (tmp_path / "Cats" / f"{i:03d}.mp4").write_bytes(video.read_bytes())
    with ProcessPoolExecutor(
        1, mp_context=get_context("spawn")
    ) as fresh:  # not what other tests left of this one's memory
        clip_bytes, used = fresh.submit(memory_of_reading, tmp_path).result()
    assert len(used) == 60
    assert max(used[15:]) - max(used[:15]) < 10 * clip_bytes  # the temporaries of one clip are 15 times its size


@pytest.mark.skipif(not SHARED.is_dir(), reason="no sample data beside the checkout")
def test_the_authors_layout() -> None:
    footage = VideoFootage(SHARED / "train", DataSettings(height=24, width=40))
    assert len({footage.prompt(i) for i in range(len(footage))}) == 2
    assert not any(footage.prompt(i).startswith("A video from") for i in range(len(footage)))
    assert footage.skipped == []
    assert len(footage.held_back()) == 2
    assert footage.read(0).frames.shape == (5, 24, 40, 3)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no sample data beside the checkout")
def test_the_authors_videos_of_one_clip_each_are_trained_on() -> None:
    settings = DataSettings(height=24, width=40, fps=16, clip_frames=81)
    footage = VideoFootage(SHARED / "train", settings)
    assert (len(footage), footage.skipped, len(footage.held_back())) == (2, [], 2)
