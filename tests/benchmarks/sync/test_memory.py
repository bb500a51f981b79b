"""The memory of scoring Sync-C and Sync-D does not grow with the video's pixels."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks.sync.sync_videos import face_frames, hum, write_talking, write_weights

ROOT = Path(__file__).parents[3]
# The real detector runs over every frame; with random weights it finds nothing, so a box is given in its place.
CODE = """
import re, sys
from pathlib import Path
import numpy as np
from benchmarks.sync.score import SyncModels, score_sync

models = SyncModels.load()
def detect(frames):
    return [np.concatenate([boxes, [[8.0, 8, 118, 120]]]) for boxes in models.faces(frames)]
score = score_sync(Path(sys.argv[1]), None, models, detect)
assert score.faces == 1 and np.isfinite(score.sync_d), score
print(re.search(r"VmHWM:\\s*(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak(video: Path, weights: Path) -> int:
    """KiB."""
    # glibc keeps freed memory as it pleases, more on a busy machine: it is told to give it back.
    allocator = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    environment = {**os.environ, **allocator, "HARNESS_WEIGHTS": str(weights), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(video)], cwd=ROOT, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


@pytest.mark.slow
def test_six_times_the_frames_take_no_more_memory(tmp_path: Path) -> None:
    """720 frames of 128 x 128 pixels are 35 MB, and their crops 108 MB; features and sound are 7 MB."""
    weights = write_weights(tmp_path)
    peaks = []
    for frames in (120, 720):
        path = write_talking(tmp_path / f"{frames}.mp4", face_frames(frames, 128, 128), sound=hum(frames / 25))
        peaks.append(peak(path, weights))
    print("peaks in KiB:", peaks)
    assert peaks[1] < 1.05 * peaks[0]
