import json
import stat
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.vbench import official
from benchmarks.vbench.motion import MotionSmoothness
from benchmarks.vbench.stream import score_video
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video

MOTION = ("dynamic_degree", "motion_smoothness")


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """An "environment" that is this one: what the harness does around VBench can be tried without VBench."""
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n', encoding="utf-8")
    python.chmod(python.stat().st_mode | stat.S_IXUSR)
    return tmp_path / "environment"


def test_the_folder_follows_the_environment_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HARNESS_VBENCH_ENV", str(tmp_path / "judge"))
    assert official.default_folder() == tmp_path / "judge"
    with pytest.raises(ValueError, match=r"judge: received no bin/python, expected VBench's environment; build it"):
        official.python_of(official.default_folder())
    assert "build it first" in official.check(official.default_folder())[0]


def test_an_environment_without_vbench_is_found_out(stand_in: Path) -> None:
    problems = official.check(stand_in)
    assert "vbench: received none, expected 0.1.5" in problems
    assert any(problem.startswith("vbench.dynamic_degree: cannot be imported") for problem in problems)


def test_nothing_runs_without_its_files(stand_in: Path, motion_weights: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", moving_frames(3, 128, 128), 8)
    with pytest.raises(ValueError, match=r"'motion', expected one of subject_consistency, .*motion_smoothness"):
        official.run(stand_in, [film], ["motion"], motion_weights, tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match=r"weights of imaging_quality: received no .*musiq_spaq_ckpt-358bb6af\.pth"):
        official.run(stand_in, [film], ["imaging_quality"], motion_weights, tmp_path, tmp_path / "out")
    with pytest.raises(ValueError, match=r"checkpoints/dino_vitbase16_pretrain\.pth"):
        official.run(stand_in, [film], ["subject_consistency"], motion_weights, tmp_path, tmp_path / "out")
    videos = [film, tmp_path / "absent.mp4", film.rename(tmp_path / "film.avi")]
    with pytest.raises(ValueError, match=r"received .*absent\.mp4, .*film\.avi, expected existing \.mp4 files"):
        official.run(stand_in, videos, MOTION, motion_weights, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_runner_gives_each_film_its_own_scores(
    stand_in: Path, motion_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    films = []
    for name in ("b", "a"):
        (tmp_path / name).mkdir()
        films.append(write_video(tmp_path / name / "film.mp4", moving_frames(5, 128, 128, seed=ord(name)), 8))
    scores = official.run(
        stand_in, films, ["motion_smoothness"], motion_weights, tmp_path, tmp_path / "out", native=True
    )
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(motion_weights))
    dimension = MotionSmoothness.load()
    expected = [score_video(film, [dimension])["motion_smoothness"].value for film in films]
    assert [scores[str(film)]["motion_smoothness"] for film in films] == pytest.approx(expected, abs=1e-7)
    assert abs(expected[0] - expected[1]) > 1e-5
    record = json.loads((tmp_path / "out" / "official.json").read_text())["motion_smoothness"]
    assert record["overall"] == pytest.approx(np.mean(expected), abs=1e-7)
    assert 5e7 < record["peak_bytes"] < 5e9
    assert record["seconds"] > 0
    assert "torch" in record["versions"]


def test_a_failed_run_shows_the_end_of_its_log(motion_weights: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", moving_frames(3, 128, 128), 8)
    python = tmp_path / "environment" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\nseq 1 20 >&2\nexit 3\n", encoding="utf-8")
    python.chmod(0o755)
    told = r"(?s)exit status 3, expected scores; the log .*motion_smoothness.log ends with: 13\n14\n.*\n20$"
    with pytest.raises(ValueError, match=told):
        official.run(python.parents[1], [film], ["motion_smoothness"], motion_weights, tmp_path, tmp_path / "out")
    assert not (tmp_path / "out" / "official.json").exists()


@pytest.mark.slow
def test_a_run_with_another_weight_file_says_so_in_its_log(stand_in: Path, tmp_path: Path) -> None:
    film = write_video(tmp_path / "film.mp4", moving_frames(3, 128, 128), 8)
    (tmp_path / "cache" / "amt_model").mkdir(parents=True)
    (tmp_path / "cache" / "amt_model" / "amt-s.pth").write_bytes(b"not weights")
    with pytest.raises(ValueError, match=r"(?s)motion_smoothness.log ends with: .*expected the published amt-s\.pth"):
        official.run(
            stand_in, [film], ["motion_smoothness"], tmp_path / "cache", tmp_path, tmp_path / "out", native=True
        )


@pytest.mark.slow
def test_a_failed_step_of_the_build_is_told_and_the_next_build_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    said: list[str] = []
    for _ in range(2):
        with pytest.raises(ValueError, match=r"(?s)installing build tools: exit status 1 from .*pip install.*wheel"):
            official.build(tmp_path / "judge", said.append)
    assert [line.split()[0] for line in said] == ["making", "installing", "installing"]
