"""The dimensions of single frames against official VBench, on random weights, in VBench's own environment.

Needs that environment (`benchmarks.vbench.official.build`); HARNESS_VBENCH_ENV names its folder.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from benchmarks.vbench import official
from benchmarks.vbench.aesthetic import AestheticQuality
from benchmarks.vbench.background import BackgroundConsistency
from benchmarks.vbench.imaging import ImagingQuality
from benchmarks.vbench.stream import score_video
from benchmarks.vbench.subject import SubjectConsistency
from tests.benchmarks.vbench_videos import BT709, moving_frames, write_video
from tests.benchmarks.vbench_weights import write_clip_b, write_clip_l, write_dino, write_musiq

Kind = type[SubjectConsistency] | type[BackgroundConsistency] | type[AestheticQuality] | type[ImagingQuality]
# Frames, height, width, fps, colour tag, pixel format.
VIDEOS = (
    (5, 98, 130, 16, None, "yuv420p"),
    (7, 240, 416, 24, None, "yuv420p"),
    (4, 416, 240, 25, None, "yuv420p"),
    (6, 224, 224, 30, None, "yuv420p"),
    (5, 182, 310, 24, BT709, "yuv420p"),
    (3, 592, 1000, 16, None, "yuv420p"),
    (4, 99, 131, 16, None, "yuv444p"),
)
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the published architectures, but for ViT-L/14, of which four layers tell as much as 24."""
    cache = tmp_path_factory.mktemp("cache")
    write_dino(cache / "torch", cache)
    write_clip_b(cache)
    write_clip_l(cache, layers=4)
    write_musiq(cache)
    return cache


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("videos")
    return [
        write_video(folder / f"{seed}.mp4", moving_frames(count, height, width, seed), fps, colour, pixels)
        for seed, (count, height, width, fps, colour, pixels) in enumerate(VIDEOS)
    ]


@pytest.fixture
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In both: VBench's own imaging quality differs by 2e-6 between one thread and two."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("_one_thread")
@pytest.mark.filterwarnings("ignore:.*colour tag is bt709")
@pytest.mark.parametrize("kind", [SubjectConsistency, BackgroundConsistency, AestheticQuality, ImagingQuality])
def test_scores_equal_official_vbenchs(
    kind: Kind, weights: Path, videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = official.default_folder()
    if official.check(environment):
        pytest.skip(f"no working VBench environment in {environment}")
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(weights))
    monkeypatch.setenv("TORCH_HOME", str(weights / "torch"))
    expected = official.run(environment, videos, [kind.name], weights, weights / "torch", tmp_path)
    overall = json.loads((tmp_path / official.RESULTS).read_text())[kind.name]["overall"]
    dimension = kind.load()
    scores = {video: score_video(video, [dimension])[kind.name] for video in videos}
    values = [scores[video].value for video in videos]
    assert values == pytest.approx([expected[str(video)][kind.name] for video in videos], abs=1e-6)
    assert max(values) - min(values) > 1e-3  # the videos do not merely score alike
    mean = sum(score.value * score.weight for score in scores.values()) / sum(s.weight for s in scores.values())
    assert mean / (100 if kind is ImagingQuality else 1) == pytest.approx(overall, abs=1e-6)
