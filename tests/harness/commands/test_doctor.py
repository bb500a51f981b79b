"""`harness doctor`: cards, by a driver that is made up, files of weights, and what it installs."""

import json
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from benchmarks.vbench import official
from harness.commands import doctor
from harness.core.gpus import VISIBLE
from tests.harness.commands.judged import run
from tests.harness.small import ROOT, environment

SAID = """#!/bin/sh
echo "0, GPU-aa, NVIDIA H200, 143771"
echo "1, GPU-bb, NVIDIA GB10, [N/A]"
"""


def test_cards_are_told_by_name_also_without_a_memory_of_their_own_or_torch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nvidia-smi").write_text(SAID)
    (tmp_path / "nvidia-smi").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv(VISIBLE, "0, GPU-bb,MIG-cc")

    def missing(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr(doctor, "version", missing)
    said: list[str] = []
    doctor.examine(("devices",), tmp_path, False, said.append)
    assert [line.split("  ")[-1] for line in said[1:]] == ["NVIDIA H200, 140 GiB", "NVIDIA GB10", "card MIG-cc"]


def test_doctor_names_every_missing_file_its_place_and_licence(weights: Path, tmp_path: Path) -> None:
    done = run(weights, "doctor", "--json", store=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert found["ViT-B-32.pt"]["state"] == "ok"
    assert found["raft-things.pth"]["state"] == "missing"
    assert str(weights / "raft_model" / "models") in found["raft-things.pth"]["text"]
    assert "licence BSD-3-Clause" in found["raft-things.pth"]["text"]
    assert found["vbench 0.1.5"]["state"] == "missing"
    assert {"sfd_face.pth", "syncnet_v2.model", "i3d_pretrained_400.pt"} <= set(found)
    assert not (tmp_path / "runs").exists()


def test_doctor_says_in_short_what_is_there_and_all_of_a_topic_that_is_named(weights: Path, tmp_path: Path) -> None:
    short = run(weights, "doctor", store=tmp_path / "runs").stdout
    assert re.search(r"missing  VBench .* of 7 files are here", short)
    assert "licence" not in short.partition("What is missing")[0]
    assert len(short.splitlines()) <= 16
    named = run(weights, "doctor", "weights", store=tmp_path / "runs").stdout
    assert named.startswith("weights\n")
    assert "licence BSD-3-Clause" in named
    assert "packages" not in named


def test_doctor_loads_no_torch_and_hashes_no_weights() -> None:
    code = """
import sys
sys.argv = ["harness", "doctor"]
from harness.cli import main
from benchmarks import weights
weights._sha256 = None
try:
    main()
except SystemExit as end:
    print(end.code, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment())
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr


def test_doctor_keeps_its_json_apart_from_what_install_says(weights: Path, tmp_path: Path) -> None:
    python = tmp_path / "judge" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho '[]'\n", encoding="utf-8")  # an environment in which nothing is wrong
    python.chmod(0o755)
    (tmp_path / "judge" / "READY").write_text(official._recipe(), encoding="utf-8")
    judge = tmp_path / "judge"
    done = run(weights, "doctor", "--install", "vbench", "--json", store=tmp_path / "runs", judge=judge)
    assert done.returncode == 0, done.stderr
    assert {one["name"]: one["state"] for one in json.loads(done.stdout)}["vbench 0.1.5"] == "ok"
    assert f"{judge} is up to date" in done.stderr
