"""`harness validate`: true films of the embedded world, damaged and scored, and the page that says what came of it."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from harness.cli import cli
from harness.commands.validate import Asked, _Task
from harness.core.errors import UseError
from tests.harness.small import ROOT, environment
from tests.harness.waiting import until


def test_true_films_are_the_truth_and_are_scored_as_films_are(tmp_path: Path) -> None:
    task = _Task.make(Asked((), 1, (), 0), 2, tmp_path)
    films = task.films
    first, second = films.film(0), films.film(1)
    assert first.frames.shape == (200, 16, 16, 3)
    assert first.continuation is not None
    assert (first.frames[:] == first.continuation[:]).all()
    assert (first.frames[:] != second.frames[:]).any()
    assert [suite.name for suite in task.suites] == ["embedded"]


def test_vbench_takes_part_where_it_is_asked_for(tmp_path: Path) -> None:
    task = _Task.make(Asked(("score.vbench=imaging_quality",), 1, (), 0), 1, tmp_path)
    assert [metric.name for metric in task.suites[1].metrics] == ["imaging_quality"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--drift", "huee"], "did you mean 'hue'"),
        (["score.reference=films"], "true films are scored as they are"),
        (["train.steps=3"], "expected score.metrics or score.vbench alone"),
    ],
)
def test_what_cannot_be_asked_is_refused(words: list[str], said: str) -> None:
    with pytest.raises(UseError, match=said):
        CliRunner().invoke(cli, ["validate", *words], catch_exceptions=False)


@pytest.mark.slow
def test_the_page_is_written(tmp_path: Path) -> None:
    page = tmp_path / "metrics.md"
    words = ["validate", "--films", "2", "--drift", "exposure", "--write", str(page), "--jobs", "1"]
    assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0
    text = page.read_text()
    assert "harness validate --films 2 --seed 0 --drift exposure" in text
    assert "| `colour_drift late` | 1.00" in text
    assert str(tmp_path) not in text


def test_interrupted_it_ends_at_once_and_says_that_nothing_is_kept(tmp_path: Path) -> None:
    """The workers too, though a scene in every dose takes minutes."""
    words = [sys.executable, "-m", "harness", "validate", "--films", "1", "--jobs", "1"]
    places = environment() | {"TMPDIR": str(tmp_path)}
    with subprocess.Popen(words, env=places, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        until(lambda: any(tmp_path.glob("*/work/0")), 60)
        workers = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGTERM)
        said = running.communicate(timeout=30)[1]
    assert running.returncode == 143
    assert "harness: ended by SIGTERM; nothing is kept of a part of the scenes; the same command starts anew." in said
    assert "Traceback" not in said
    until(lambda: not any(map(psutil.Process.is_running, workers)), 10)
    assert list(tmp_path.iterdir()) == []
