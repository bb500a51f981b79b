"""The definitions of kept values beside their owners' ways, which score parts of the same video anew."""

import numpy as np
import pytest
import torch
from torch import nn

from benchmarks.arrays import UInt8
from benchmarks.drift.course import Course
from benchmarks.drift.definitions import framepack15, rolling5s, svi_length, vde
from benchmarks.vbench.aesthetic import AestheticQuality
from benchmarks.vbench.clip import ClipImages, ClipTower
from benchmarks.vbench.dimension import DimensionScore, VideoInfo
from benchmarks.vbench.files import VIT_B_32
from tests.benchmarks.vbench.vbench_videos import moving_frames
from tests.benchmarks.vbench.vbench_weights import write_clip_b

FPS, FRAMES = 4, 63


@pytest.fixture(scope="module")
def dimension(tmp_path_factory: pytest.TempPathFactory) -> AestheticQuality:
    cache = tmp_path_factory.mktemp("cache")
    write_clip_b(cache, width=64, layers=1)
    torch.manual_seed(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VBENCH_CACHE_DIR", str(cache))
        return AestheticQuality(ClipTower(VIT_B_32), nn.Linear(512, 1).requires_grad_(False), ClipImages())


def scored(dimension: AestheticQuality, frames: UInt8) -> DimensionScore:
    """As a video of its own."""
    dimension.begin(VideoInfo("part", FPS, len(frames), *frames.shape[1:3]))
    dimension.feed(frames)
    return dimension.end()


def test_parts_that_are_scored_anew_give_the_same_drift(dimension: AestheticQuality) -> None:
    video = moving_frames(FRAMES, 32, 48)
    kept = scored(dimension, video).frames
    course = Course("aesthetic_quality", kept[None], FPS)

    def alone(frames: UInt8) -> float:
        return scored(dimension, frames).value

    edge = int(0.15 * len(video))
    assert framepack15(course)[0] == pytest.approx(abs(alone(video[:edge]) - alone(video[-edge:])), abs=1e-6)
    assert rolling5s(course)[0] == pytest.approx(alone(video[: 5 * FPS]) - alone(video[-5 * FPS :]), abs=1e-6)
    parts = np.split(video[:60], 10)
    first, *rest = map(alone, parts)
    owners = sum((9 - place) * abs(one - first) / first for place, one in enumerate(rest))
    assert vde(course)[0] == pytest.approx(owners, rel=1e-6, abs=1e-6)
    assert svi_length(course) == {}
