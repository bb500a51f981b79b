"""Real videos in the authors' layout."""

from pathlib import Path

import av
import numpy as np
import pytest

from svi.data import fit_frames, read_footage, read_video
from svi.settings import DataSettings
from svi.video import write_mp4

SHARED = Path(__file__).parents[3] / "shared" / "data" / "svi-toy"
SETTINGS = DataSettings(height=16, width=24, fps=8)


def make_video(file: Path, frames: int = 48, fps: int = 16) -> Path:
    ramp = np.linspace(0, 250, frames).astype(np.uint8)
    write_mp4(file, np.broadcast_to(ramp[:, None, None, None], (frames, 128, 192, 3)), fps, 128, 192)
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "Cats"
    folder.mkdir()
    make_video(folder / "one.mp4")
    make_video(folder / "two.mp4")
    (folder / "Cats.csv").write_text('Video Title,Video Description,Filename\nx,"A cat, asleep",one.mp4\n')
    return tmp_path


def test_frames_are_taken_at_the_profiles_rate(tmp_path: Path) -> None:
    frames = read_video(make_video(tmp_path / "a.mp4"), 8, 16, 24)
    assert frames.shape == (24, 16, 24, 3)
    levels = frames.reshape(24, -1).mean(axis=1)
    assert np.abs(levels - np.linspace(0, 250, 48)[::2]).max() < 4


def test_captions_windows_and_held_back_clips(root: Path) -> None:
    footage = read_footage(root, SETTINGS)
    assert {c.prompt for c in footage.clips} == {"A cat, asleep", "A video from Cats category"}
    assert len(footage.clips) == 2 * (19 - 5 + 1)  # 24 frames, one clip of 5 kept, a window a frame
    assert all(c.frames.shape == (5, 16, 24, 3) for c in footage.clips)
    assert footage.skipped == []
    longer = read_footage(root, SETTINGS.model_copy(update={"hold_back": 0.3}))
    assert len(longer.held_back) == 2
    seen = {c.frames.tobytes() for c in longer.clips}
    assert all(c.frames.tobytes() not in seen for c in longer.held_back)


def test_unreadable_and_empty_files_are_named_and_skipped(root: Path) -> None:
    (root / "Cats" / "broken.mp4").write_bytes(b"not a video")
    (root / "Cats" / "empty.mp4").write_bytes(b"")
    (root / "Cats" / "cut.mp4").write_bytes((root / "Cats" / "one.mp4").read_bytes()[:400])
    with av.open(str(root / "Cats" / "none.mp4"), "w") as container:  # a header, and not one frame
        stream = container.add_stream("libx264", rate=8)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        container.start_encoding()
    whole = bytearray((root / "Cats" / "one.mp4").read_bytes())
    middle = len(whole) // 2
    whole[:middle] = whole[:40] + bytes(middle - 40)
    (root / "Cats" / "torn.mp4").write_bytes(whole)
    with av.open(str(root / "Cats" / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 16000
        container.mux(stream.encode(sound))
        container.mux(stream.encode())
    footage = read_footage(root, SETTINGS)
    names = ["broken", "cut", "empty", "none", "sound", "torn"]
    assert sorted(name for name, _ in footage.skipped) == [f"Cats/{name}.mp4" for name in names]
    assert all("unreadable" in why for _, why in footage.skipped)
    assert len(footage.clips) == 30


def test_a_video_too_short_for_a_clip_starts_no_film(root: Path) -> None:
    make_video(root / "Cats" / "short.mp4", frames=12)
    footage = read_footage(root, SETTINGS)
    assert footage.skipped == [("Cats/short.mp4", "too short: 6 frames at 8 fps, at least 10 are needed")]
    assert len(footage.held_back) == 2


def test_nothing_usable_is_an_error_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is not a folder"):
        read_footage(tmp_path / "missing", SETTINGS)
    with pytest.raises(ValueError, match="no video files found"):
        read_footage(tmp_path, SETTINGS)
    (tmp_path / "Cats").mkdir()
    (tmp_path / "Cats" / "broken.mp4").write_bytes(b"x")
    with pytest.raises(ValueError, match=r"Cats/broken\.mp4: unreadable"):
        read_footage(tmp_path, SETTINGS)


def test_a_csv_without_its_columns(root: Path) -> None:
    (root / "Cats" / "Cats.csv").write_text("Title,File\nx,one.mp4\n")
    with pytest.raises(ValueError, match="has no column Filename, Video Description; found Title, File"):
        read_footage(root, SETTINGS)


def test_crop_keeps_the_middle() -> None:
    frames = np.zeros((1, 10, 40, 3), np.uint8)
    frames[:, :, 10:30] = 200
    assert (fit_frames(frames, 10, 20) == 200).all()


@pytest.mark.skipif(not SHARED.is_dir(), reason="no sample data beside the checkout")
def test_the_authors_layout() -> None:
    footage = read_footage(SHARED / "train", DataSettings(height=24, width=40))
    assert len({c.prompt for c in footage.clips}) == 2
    assert footage.skipped == []
    assert len(footage.held_back) == 2
