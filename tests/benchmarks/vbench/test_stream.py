"""One pass over a video: every dimension gets all frames once, in the same blocks; memory follows the block."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.arrays import UInt8
from benchmarks.films.video_file import VideoFile
from benchmarks.vbench.background import BackgroundConsistency
from benchmarks.vbench.dimension import DimensionScore, VideoInfo, mean_of_frames
from benchmarks.vbench.official import DIMENSIONS
from benchmarks.vbench.stream import score_video
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video
from tests.benchmarks.vbench.vbench_weights import write_clip_b

ROOT = Path(__file__).parents[3]


class Brightness:
    """The smallest dimension: the mean level of each frame."""

    about, version, files = "Mean level.", "1", ()

    def __init__(self, name: str = "brightness") -> None:
        self.name = name

    def begin(self, video: VideoInfo) -> None:
        self.video = video
        self.blocks: list[UInt8] = []

    def feed(self, frames: UInt8) -> None:
        self.blocks.append(frames)

    def end(self) -> DimensionScore:
        levels = np.concatenate(self.blocks).mean(axis=(1, 2, 3))
        return DimensionScore(weight=1.0, frames=levels, rule=mean_of_frames)


@pytest.fixture
def video(tmp_path: Path) -> Path:
    return write_video(tmp_path / "film.mp4", moving_frames(11, 40, 56), fps=25)


def test_every_dimension_is_fed_the_same_blocks_in_order(video: Path) -> None:
    one, other = Brightness("one"), Brightness("other")
    scores = score_video(video, [one, other], block=4)
    assert list(scores) == ["one", "other"]
    assert one.video == VideoInfo("film.mp4", 25, 11, 40, 56)
    assert [len(block) for block in one.blocks] == [4, 4, 3]
    assert all(mine is yours for mine, yours in zip(one.blocks, other.blocks, strict=True))
    decoded = np.concatenate(list(VideoFile.open(video).blocks(11)))
    np.testing.assert_array_equal(np.concatenate(one.blocks), decoded)


def test_a_dimension_scores_video_after_video(video: Path, tmp_path: Path) -> None:
    still = write_video(tmp_path / "still.mp4", moving_frames(1, 40, 56)[[0] * 5], fps=16)
    dimension = Brightness()
    first = score_video(video, [dimension])["brightness"]
    assert len(score_video(still, [dimension])["brightness"].frames) == 5
    np.testing.assert_array_equal(score_video(video, [dimension])["brightness"].frames, first.frames)


@pytest.mark.parametrize("block", [1, 3, 11])
def test_the_block_does_not_change_the_score(
    video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(tmp_path))
    write_clip_b(tmp_path, width=128, layers=2)
    dimension = BackgroundConsistency.load()
    whole = score_video(video, [dimension])[dimension.name]
    parts = score_video(video, [dimension], block)[dimension.name]
    np.testing.assert_allclose(parts.frames, whole.frames, atol=1e-6)
    assert parts.value == pytest.approx(whole.value, abs=1e-6)


def test_a_dimension_given_twice_is_refused(video: Path) -> None:
    with pytest.raises(ValueError, match=r"received \['brightness', 'brightness'\], expected each once"):
        score_video(video, [Brightness(), Brightness()])


@pytest.fixture(scope="module")
def lengths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The same video once and four times in a row."""
    folder, frames = tmp_path_factory.mktemp("lengths"), moving_frames(100, 160, 184)
    return [write_video(folder / f"{n}.mp4", np.tile(frames, (n, 1, 1, 1)), fps=16) for n in (1, 4)]


@pytest.mark.slow
@pytest.mark.parametrize("name", DIMENSIONS)
def test_memory_does_not_grow_with_the_video(lengths: list[Path], tmp_path: Path, name: str) -> None:
    command = [sys.executable, "-m", "tests.benchmarks.vbench.vbench_memory", str(tmp_path), name, *map(str, lengths)]
    # Freed memory goes back at once: what glibc keeps of it for later differs by a tenth from run to run on a busy machine.
    allocator = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    environment = {**os.environ, **allocator, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    short, long = map(int, done.stdout.split())
    assert long < 1.05 * short
