"""The figures about VBench's dimensions, at tiny size and without VBench: an "environment" that is this one."""

import json
import stat
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.films.video_file import VideoFile
from benchmarks.perf.vbench import PIXELS_A_FRAME, main, write_moving_video
from tests.benchmarks.vbench.vbench_motion_weights import write_amt


@pytest.fixture
def _stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("HARNESS_VBENCH_ENV", str(tmp_path / "environment"))
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(tmp_path))
    write_amt(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("_stand_in")
def test_it_measures_the_memory_of_a_process_that_scores(tmp_path: Path) -> None:
    size = ["--frames", "3", "--height", "128", "--width", "144"]
    command = ["memory", "--dimension", "motion_smoothness", "--native-only", *size, "--json", str(tmp_path / "f.json")]
    done = CliRunner().invoke(main, command)
    assert done.exit_code == 0, done.output
    (row,) = json.loads((tmp_path / "f.json").read_text())
    assert (row["dimension"], row["native"]) == ("motion_smoothness", True)
    assert list(row["peak_bytes"]) == ["3"]
    assert 5e7 < row["peak_bytes"]["3"] < 5e9
    assert f"{row['peak_bytes']['3'] / 2**20:,.0f} MiB" in done.output


def test_the_video_slides(tmp_path: Path) -> None:
    video = VideoFile.open(write_moving_video(tmp_path / "a.mp4", 5, 64, 96))
    assert (video.frames, video.height, video.width, video.fps, video.colour) == (5, 64, 96, 16, "unspecified")
    frames = next(video.blocks(5)).astype(float)
    errors = [np.abs(np.roll(frames[0], shift, axis=1) - frames[3]).mean() for shift in range(48)]
    assert int(np.argmin(errors)) == 3 * PIXELS_A_FRAME
