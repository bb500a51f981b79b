"""Windows of a video, and their features in one pass over it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.films.video_file import VideoFile
from benchmarks.fvd.clips import clip_features
from benchmarks.fvd.extractor import Extractor
from benchmarks.fvd.windows import clip_starts
from benchmarks.track import clip_slices
from tests.benchmarks.fvd.fvd_weights import SmallNetwork
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("video") / "film.mp4", moving_frames(75, 48, 64), fps=16)


@pytest.fixture(scope="module")
def extractor() -> Extractor:
    return Extractor(SmallNetwork(), "small", "0" * 64)


def at_once(video: Path, starts: list[int], extractor: Extractor, stride: int) -> np.ndarray:
    """All frames decoded, then every window by itself."""
    frames = np.concatenate(list(VideoFile.open(video).blocks(1000)))
    clips = [extractor.images(frames[start : start + 16 * stride : stride]) for start in starts]
    return np.concatenate([extractor.logits(clip.transpose(0, 1)[None]) for clip in clips])


@pytest.mark.parametrize(
    ("starts", "stride"),
    [
        ([0], 1),
        ([59], 1),
        ([0, 16, 32, 48], 1),
        ([40, 3, 10, 3, 41], 1),  # in any order, overlapping, one twice
        ([0, 29], 3),
        ([5, 6, 7, 14], 4),
        (list(range(0, 60, 7)), 1),
    ],
)
def test_streaming_gives_what_the_whole_video_gives(
    video: Path, extractor: Extractor, starts: list[int], stride: int
) -> None:
    features = clip_features(video, starts, extractor, stride)
    assert (features.shape, features.dtype) == ((len(starts), 400), np.float64)
    np.testing.assert_allclose(features, at_once(video, starts, extractor, stride), atol=1e-6)
    order = np.argsort(starts)
    assert all(np.abs(np.diff(features[order], axis=0)[np.diff(np.sort(starts)) > 0]).max(axis=1) > 1e-3)


@pytest.mark.slow
def test_streaming_through_i3d(video: Path, i3d_weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_WEIGHTS", str(i3d_weights))
    extractor = Extractor.load()
    np.testing.assert_allclose(clip_features(video, [8], extractor), at_once(video, [8], extractor, 1), atol=1e-4)


def test_no_more_frames_are_resized_than_windows_have(video: Path) -> None:
    class Counting(Extractor):
        seen = 0

        def images(self, frames):  # type: ignore[no-untyped-def]
            self.seen += len(frames)
            return super().images(frames)

    extractor = Counting(SmallNetwork(), "small", "")
    clip_features(video, [0, 8, 40], extractor)
    assert extractor.seen == 40


def test_a_window_outside_the_video_is_refused(video: Path, tmp_path: Path, extractor: Extractor) -> None:
    short = write_video(tmp_path / "short.mp4", moving_frames(15, 48, 64), fps=16)
    with pytest.raises(ValueError, match=r"short\.mp4: video: received 15 frames, expected at least 16"):
        clip_features(short, [0], extractor)
    with pytest.raises(ValueError, match="received 75 frames, expected at least 76 for 16 frames with stride 5"):
        clip_features(video, [0], extractor, stride=5)
    with pytest.raises(ValueError, match=r"received 2 that .* 75 frames \(the first starts at frame 60\), .* 0 to 59"):
        clip_features(video, [0, 60, -1], extractor)
    with pytest.raises(ValueError, match="windows: received none"):
        clip_features(video, [], extractor)
    with pytest.raises(ValueError, match="stride: received 0"):
        clip_features(video, [0], extractor, stride=0)


def test_one_window_a_clip() -> None:
    clips = clip_slices(90, clips=4, clip_frames=29, overlap=5)
    assert clip_starts(clips) == (0, 24, 48, 72)
    assert clip_starts(clip_slices(85, 4, 29, 5)) == (0, 24, 48, None)
    with pytest.raises(ValueError, match=r"received 4 of at most 24 frames, expected at least 31 .* stride 2"):
        clip_starts(clips, stride=2)


def peak_memory(video: Path, count: int) -> int:
    """KiB that a process holds at most while it extracts windows of the whole video.

    From /proc: getrusage's figure starts from what the parent held when it forked.
    """
    code = f"""
import re
from pathlib import Path
from benchmarks.fvd.clips import clip_features
from benchmarks.fvd.extractor import Extractor
from tests.benchmarks.fvd.fvd_weights import SmallNetwork

starts = range(0, {count} - 31, 20)  # a window is 16 frames, every other one
clip_features(Path({str(video)!r}), starts, Extractor(SmallNetwork(), "small", ""), 2)
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.split()[-1])


@pytest.mark.slow
def test_memory_does_not_grow_with_the_video(tmp_path: Path) -> None:
    """By far less than the further frames would take, decoded (as they are resized they take twice that)."""
    frames = moving_frames(100, 240, 416)
    short = write_video(tmp_path / "short.mp4", np.tile(frames, (2, 1, 1, 1)), 16)
    long = write_video(tmp_path / "long.mp4", np.tile(frames, (8, 1, 1, 1)), 16)
    assert peak_memory(long, 800) - peak_memory(short, 200) < 600 * 240 * 416 * 3 / 1024 / 3
