"""The measuring script, at test size."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from svi.perf.__main__ import main
from svi.perf.shapes import SIZES
from svi.perf.step import flops

TEST = ("--size", "test", "--repeat", "1", "--json")


def rows_of(file: Path) -> dict[str, dict[str, float]]:
    return {row["name"]: row for row in json.loads(file.read_text())["rows"]}


def test_a_training_step_is_measured_both_ways(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    done = CliRunner().invoke(main, ["step", *TEST, str(file)])
    assert done.exit_code == 0, done.output
    assert "seconds" in done.output
    rows = rows_of(file)
    assert list(rows) == ["latent cache", "encoded in the step"]
    assert all(row["seconds"] > 0 and row["peak_gib"] > 0 and row["share_of_matmul_rate"] > 0 for row in rows.values())


@pytest.mark.slow
def test_every_speed_setting_is_measured_or_says_why_not(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "svi.perf", "denoise", "--steps", "3", *TEST, str(file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], timeout=300)
    assert done.returncode == 0, done.stderr
    assert "seconds" in done.stdout
    rows = rows_of(file)
    assert len(rows) == 8
    assert all("seconds" in row or row["not measured"] for row in rows.values())
    assert "seconds" in rows["first-block cache"]


def test_arithmetic_at_true_size() -> None:
    """32,760 tokens; 1.7e15 FLOP a forward pass, 6.4e15 a LoRA step with activations computed again."""
    size = SIZES["wan2.1-i2v-14b-480p"]
    assert size.tokens == 32_760
    assert sum(size.flops()) == pytest.approx(1.7e15, rel=0.02)
    assert flops(size, "block") == pytest.approx(6.4e15, rel=0.02)
