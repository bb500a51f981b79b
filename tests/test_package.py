"""The wheel: five packages with their data, no tests, and a command that works outside the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def unpacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        wheel.extractall(folder / "site")
    return folder / "site"


def test_it_holds_the_packages_and_nothing_else(unpacked: Path) -> None:
    folders = {p.name for p in unpacked.iterdir() if not p.name.endswith(".dist-info")}
    assert folders == {"harness", "svi", "benchmarks", "sweeps", "reports"}
    tracked = {p.relative_to(ROOT) for name in folders for p in (ROOT / name).rglob("*") if p.is_file()}
    shipped = {p.relative_to(unpacked) for name in folders for p in (unpacked / name).rglob("*") if p.is_file()}
    assert {p for p in tracked if "__pycache__" not in p.parts} == shipped


def test_it_works_outside_the_checkout(unpacked: Path, tmp_path: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(unpacked)}
    code = "from reports.tables.published import published; import reports.page; print(len(published('svi-4')))"
    rows = subprocess.run(
        [sys.executable, "-c", code], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert rows.stdout.strip() == "20"
    plan = subprocess.run(
        [sys.executable, "-m", "harness", "plan", "ablation_eimg"],
        env=env,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert "60 stages" in plan.stdout, plan.stderr
