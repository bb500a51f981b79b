"""The six dimensions against official VBench, on random weights of the published architectures.

Needs VBench's own environment, which is built on first use: about 3 minutes and 5 GB below HARNESS_VBENCH_ENV, else
~/.cache/svi-harness/vbench.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.vbench import official
from benchmarks.vbench.dimensions import DIMENSIONS
from benchmarks.vbench.dynamic import DynamicDegree
from benchmarks.vbench.motion import MotionSmoothness
from benchmarks.vbench.stream import score_video
from tests.benchmarks.vbench.vbench_motion_weights import write_amt, write_raft
from tests.benchmarks.vbench.vbench_videos import BT709, moving_frames, write_video
from tests.benchmarks.vbench.vbench_weights import write_clip_b, write_clip_l, write_dino, write_musiq

# Frames, height, width, fps, colour tag, pixel format, frames at the start that show nothing.
VIDEOS = (
    (13, 130, 154, 24, BT709, "yuv420p", 0),
    (16, 128, 144, 16, None, "yuv420p", 13),
    (17, 136, 128, 25, None, "yuv420p", 14),
    (14, 128, 160, 30, None, "yuv420p", 0),
    (6, 131, 155, 16, None, "yuv444p", 0),
    (4, 210, 122, 8, None, "yuv420p", 0),
    (3, 540, 610, 16, None, "yuv420p", 0),
)
HERE = 2  # of the videos are scored by the harness's own torch too
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:.*colour tag is bt709")]
Record = dict[str, Any]


@pytest.fixture(scope="module")
def environment() -> Path:
    folder = official.default_folder()
    official.build(folder, print)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the published architectures, but for ViT-L/14, of which four layers tell as much as 24."""
    cache = tmp_path_factory.mktemp("cache")
    write_dino(cache / "torch", cache)
    write_clip_b(cache)
    write_clip_l(cache, layers=4)
    write_musiq(cache)
    write_raft(cache)
    write_amt(cache)
    return cache


@pytest.fixture
def videos(kind: type[Any], tmp_path: Path) -> list[Path]:
    paths = []
    for seed, (count, height, width, fps, colour, pixels, still) in enumerate(VIDEOS):
        frames = moving_frames(count, height, width, seed)
        # AMT makes another picture of wholly flat frames when its input is laid out otherwise in memory: nearly flat there.
        frames[:still] = frames[0] // 16 + 100 if kind is MotionSmoothness else 100
        folder = tmp_path / str(seed)  # the same name in each: scores are not told apart by names
        folder.mkdir()
        paths.append(write_video(folder / "film.mp4", frames, fps, colour, pixels))
    return paths[::-1]


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In both: VBench's own imaging quality differs by 2e-6 between one thread and two."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.parametrize("kind", DIMENSIONS, ids=lambda kind: kind.name)
def test_scores_equal_official_vbenchs(
    kind: type[Any], environment: Path, weights: Path, videos: list[Path], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    records = {}
    for who in ("official", "native"):
        out = tmp_path / who
        official.run(environment, videos, [kind.name], weights, weights / "torch", out, native=who == "native")
        records[who] = json.loads((out / "official.json").read_text())[kind.name]
    theirs, ours = (record["videos"] for record in records.values())
    values = [theirs[str(video)]["value"] for video in videos]
    assert [ours[str(video)]["value"] for video in videos] == pytest.approx(values, abs=1e-6)
    assert records["native"]["overall"] == pytest.approx(records["official"]["overall"], abs=1e-6)
    assert max(values) - min(values) > 1e-3  # the videos do not merely score alike
    print(f"{kind.name}: at most", max(abs(ours[name]["value"] - theirs[name]["value"]) for name in theirs))
    for video in videos:
        assert_frames_agree(kind, theirs[str(video)], ours[str(video)]["frames"])

    monkeypatch.setenv("VBENCH_CACHE_DIR", str(weights))
    monkeypatch.setenv("TORCH_HOME", str(weights / "torch"))
    for options in ({}, {"curve": False}) if kind is DynamicDegree else ({},):
        dimension = kind.load(**options)
        for video in videos[-HERE:]:
            score = score_video(video, [dimension])[kind.name]
            assert score.value == pytest.approx(theirs[str(video)]["value"], abs=1e-6)
            if not options:
                assert_frames_agree(kind, theirs[str(video)], score.frames.tolist())


def assert_frames_agree(kind: type[Any], theirs: Record, frames: list[float | None]) -> None:
    """With what VBench's own code finds of each frame, where it can be overheard."""
    if theirs["frames"] is None:
        return
    found = np.array(frames, dtype=float)
    found = found[~np.isnan(found)]
    if kind is DynamicDegree:
        np.testing.assert_allclose(found, theirs["frames"], rtol=1e-4)
    else:
        np.testing.assert_allclose(found, 1 - np.array(theirs["frames"]) / 255, atol=1e-5)
