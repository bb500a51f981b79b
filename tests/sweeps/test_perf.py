"""The comparison of a sweep with and without its pruner, as a command."""

import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.perf import verdict
from tests.harness.small import ROOT, environment
from tests.sweeps.test_sweep import QUICK


@pytest.mark.parametrize(
    ("interval", "said"), [((-2.0, -1.0), "worse"), ((-1.0, 1.0), "not shown to differ"), ((1.0, 2.0), "better")]
)
def test_the_verdict_is_what_the_interval_shows(interval: tuple[float, float], said: str) -> None:
    assert verdict(*interval) == said


@pytest.mark.parametrize(("words", "said"), [(["--bogus"], "--bogus"), (["--sweep", "injektion"], "injection")])
def test_an_error_of_use_is_one_message_and_exit_code_2(words: list[str], said: str, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sweeps.perf", *words, "--store", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment())
    assert (done.returncode, said in done.stderr, "Traceback" in done.stderr) == (2, True, False)


@pytest.mark.slow
def test_both_sweeps_try_the_same_settings_and_cost_is_told_apart(tmp_path: Path) -> None:
    words = ("-m", "sweeps.perf", *QUICK, "--trials", "9", "--store", str(tmp_path / "runs"))
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True, cwd=ROOT, env=environment())
    assert done.returncode == 0, done.stderr[-3000:]
    rows = {
        cells[1].strip(): cells[2:4]
        for cells in (line.split("|") for line in done.stdout.splitlines())
        if len(cells) > 4
    }
    assert [cell.strip() for cell in rows["trials"]] == ["9", "9"]
    full, pruned = (int(cell) for cell in rows["pruned"])
    assert (full, pruned > 0) == (0, True)
    assert int(rows["training, s"][0]) == int(rows["training, s"][1])
    # Of every trial without films less is spent; whole seconds may hide it, so the trials say it too.
    assert int(rows["generation and scoring, s"][1]) <= int(rows["generation and scoring, s"][0])
    assert len(list((tmp_path / "runs" / "artifacts" / "train").iterdir())) == 9
    assert "paired over 2 films" in done.stdout or "the same setting" in done.stdout
    assert "With object_kept late: " in done.stdout
    assert "Spearman rank correlation of forecast error and placed_psnr late over 9 trials" in done.stdout
