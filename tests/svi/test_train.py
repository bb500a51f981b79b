"""The training loop on a real DeepSpeed engine, in processes of its own."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

SCRIPT = Path(__file__).parent / "training_run.py"


def free_port() -> str:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return str(s.getsockname()[1])


def run(*command: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    for name in ("RANK", "LOCAL_RANK", "WORLD_SIZE"):
        env.pop(name, None)
    if path is not None:
        env["PATH"] = path
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("undisturbed")
    done = run(sys.executable, str(SCRIPT), str(folder), path="/nonexistent")  # no compiler on the PATH
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


def test_it_learns_an_adapter_and_fills_the_bank(undisturbed: Path) -> None:
    result = load_file(undisturbed / "result.safetensors")
    assert max(float(v.abs().max()) for k, v in result.items() if "lora_B" in k) > 0
    assert float(result["bank.count"].sum()) > 10
    lines = [json.loads(line) for line in (undisturbed / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [5, 10, 15, 20]
    assert {"train/loss", "train/lr", "bank/fill", "train/residual"} <= set(lines[0])


@pytest.mark.parametrize("stop", [3, 12])
def test_stopped_and_resumed_is_bit_identical(undisturbed: Path, tmp_path: Path, stop: int) -> None:
    assert run(sys.executable, str(SCRIPT), str(tmp_path), str(stop)).returncode == 9
    assert not (tmp_path / "result.safetensors").exists()
    done = run(sys.executable, str(SCRIPT), str(tmp_path))
    assert done.returncode == 0, done.stderr[-2000:]
    expected, found = load_file(undisturbed / "result.safetensors"), load_file(tmp_path / "result.safetensors")
    assert expected.keys() == found.keys()
    assert all(torch.equal(expected[k], found[k]) for k in expected)
    steps = [json.loads(line)["step"] for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert steps == [5, 10, 15, 20]


@pytest.mark.parametrize("ranks", [1, 2])
def test_deepspeeds_launcher(undisturbed: Path, tmp_path: Path, ranks: int) -> None:
    """One rank and two (ZeRO-2, gloo) started by the launcher agree with one process; the bank gathers all ranks' errors."""
    launcher = [
        "-m",
        "deepspeed.launcher.runner",
        "--no_local_rank",
        "--num_accelerators",
        str(ranks),
        "--master_port",
        free_port(),
    ]
    done = run(sys.executable, *launcher, str(SCRIPT), str(tmp_path))
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads((tmp_path / "ranks.json").read_text()) == ranks
    expected, found = load_file(undisturbed / "result.safetensors"), load_file(tmp_path / "result.safetensors")
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-5, rtol=1e-4)
