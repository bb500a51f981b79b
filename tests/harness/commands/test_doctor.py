"""What `harness doctor` says of cards, by a driver that is made up."""

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from harness.commands import doctor
from harness.core.gpus import VISIBLE

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
