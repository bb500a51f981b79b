"""A store, a Slurm of shell scripts, and a real one."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.core.store import Store
from tests.debian import install
from tests.harness.run.slurm.fakes import program
from tests.harness.run.slurm.two_node_slurm import PACKAGES, TwoNodes, missing
from tests.harness.small import ROOT


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder first on PATH with Slurm's commands as shell scripts that a test writes; each that is missing prints nothing."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("sbatch", "squeue", "scancel", "srun", "sinfo", "scontrol", "sacct"):
        program(folder, name, "")
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


@pytest.fixture(scope="module")
def cluster() -> Iterator[TwoNodes]:
    if missing():
        install(*PACKAGES)
    if lacking := missing():
        pytest.skip(f"Slurm is not installed and could not be: no {', '.join(lacking)}")
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", "OMP_NUM_THREADS")}
    os.environ.update(PYTHONPATH=str(ROOT), OMP_NUM_THREADS="1")  # which jobs inherit
    os.chdir(ROOT)
    with TwoNodes() as one:
        yield one
        subprocess.run(["scancel", "--me"], timeout=60)
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
