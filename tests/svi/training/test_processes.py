"""Trainings in processes of their own: several ranks, and processes that are killed.

They are forked from one that has imported everything, which would take each of them 10 to 20 seconds.
"""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from safetensors.torch import load_file

from tests.svi.training.training_results import Weights, assert_close, assert_same, lines

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).parent / "training_run.py"
FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["deepspeed", "tests.svi.training.training_run"])
ON_CPU = {"OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}


@pytest.fixture(scope="module", autouse=True)
def _warm() -> None:
    """DeepSpeed chooses its device when it is imported."""
    with patch.dict(os.environ, ON_CPU):
        forkserver.ensure_running()


def free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])


def rank_of_training(folder: Path, options: dict[str, Any], told: dict[str, str], errors: Path) -> None:
    """In a forked process: the script, told who it is as a launcher would."""
    from tests.svi.training.training_run import Options, main

    with errors.open("w") as file:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(file.fileno(), stream.fileno())
    os.environ.update(told)
    main(folder, Options(**options))


def run(folder: Path, options: dict[str, Any] | None = None, world: int = 1, code: int = 0) -> str:
    """The script in `world` processes; all must end with this exit code. Their errors."""
    folder.mkdir(exist_ok=True)
    joint = {"WORLD_SIZE": str(world), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()} if world > 1 else {}
    processes = []
    for rank in range(world):
        told = {**ON_CPU, **joint, **({"RANK": str(rank), "LOCAL_RANK": str(rank)} if joint else {})}
        one = FORKING.Process(
            target=rank_of_training, args=(folder, options or {}, told, folder / f"errors-{rank}.txt")
        )
        one.start()
        processes.append(one)
    until = time.monotonic() + 300
    while any(process.exitcode is None for process in processes):
        if any(process.exitcode not in (None, code) for process in processes) or time.monotonic() > until:
            for process in processes:
                process.kill()
        time.sleep(0.1)
    said = "".join((folder / f"errors-{rank}.txt").read_text() for rank in range(world))
    assert [process.exitcode for process in processes] == [code] * world, said[-3000:]
    return said


def result(folder: Path, options: dict[str, Any] | None = None, world: int = 1) -> Weights:
    """What rank 0 wrote: adapter and bank."""
    run(folder, options, world)
    return load_file(folder / "result.safetensors")


def die(folder: Path, options: dict[str, Any], world: int = 1) -> None:
    """Processes that kill themselves."""
    run(folder, options, world, code=-signal.SIGKILL)
    assert not (folder / "result.safetensors").exists()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Weights, Path]:
    """In a process that imports for itself, with no compiler on its PATH."""
    folder = tmp_path_factory.mktemp("undisturbed")
    alone = {**os.environ, **ON_CPU, "PATH": "/nonexistent"}
    done = subprocess.run([sys.executable, str(SCRIPT), str(folder)], env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return load_file(folder / "result.safetensors"), folder


@pytest.mark.parametrize(
    "kill",
    [
        ("losses", 4),  # before there is a checkpoint
        ("losses", 13),
        ("bank.add", 30),  # in the thread, in the middle of a step
        ("bank.state_dict", 2),  # a checkpoint half written
        ("bank.settle", 2),  # the latest, not yet settled
    ],
)
def test_killed_and_resumed_is_bit_identical(
    undisturbed: tuple[Weights, Path], tmp_path: Path, kill: tuple[str, int]
) -> None:
    die(tmp_path, {"kill": kill})
    assert_same(result(tmp_path), undisturbed[0])
    assert [line["step"] for line in lines(tmp_path)] == [5, 10, 15, 20]


@pytest.mark.parametrize("zero", [0, 2, 3])
def test_two_ranks_equal_one(undisturbed: tuple[Weights, Path], tmp_path: Path, zero: int) -> None:
    """After 20 steps with the same global batch, all errors gathered: weights and bank, and what is logged of all ranks."""
    assert_close(result(tmp_path, {"train": {"zero": zero}}, world=2), undisturbed[0])
    assert json.loads((tmp_path / "ranks.json").read_text()) == 2
    for found, expected in zip(lines(tmp_path), lines(undisturbed[1]), strict=True):
        for name in ("train/loss", "train/grad_norm", "bank/fill"):
            assert found[name] == pytest.approx(expected[name], rel=1e-4), name


@pytest.mark.parametrize(
    "options",
    [
        {"bank": {"scope": "node", "warmup": 8}},
        {"bank": {"scope": "rank", "warmup": 8, "warmup_by": "rank", "lists": 2}},
        {"train": {"zero": 3, "checkpointing": "block", "micro_batch": 1}},
        {"wan": "wan2.1-i2v", "train": {"dtype": "bfloat16"}},
    ],
)
def test_two_ranks_killed_and_resumed_are_bit_identical(tmp_path: Path, options: dict[str, Any]) -> None:
    whole = result(tmp_path / "whole", options, world=2)
    die(tmp_path / "cut", {**options, "kill": ("losses", 13)}, world=2)
    assert_same(result(tmp_path / "cut", options, world=2), whole)


def test_a_bank_of_the_node_is_one_rank_s_bank(undisturbed: tuple[Weights, Path], tmp_path: Path) -> None:
    """While all errors are gathered, and after: two ranks that share a bank do what one does."""
    for warmup in (1000, 0):
        one = result(tmp_path / f"one-{warmup}", {"bank": {"warmup": warmup}})
        assert_close(result(tmp_path / f"two-{warmup}", {"bank": {"scope": "node", "warmup": warmup}}, world=2), one)
        assert len(list((tmp_path / f"two-{warmup}").glob("bank-*.bin"))) == 1


def test_another_number_of_ranks_is_refused(tmp_path: Path) -> None:
    die(tmp_path, {"kill": ("losses", 13)})
    said = run(tmp_path, world=2, code=1)
    assert "was made by 1 ranks, this run has 2; set train.ranks=1 to resume" in said


def test_deepspeeds_launcher(undisturbed: tuple[Weights, Path], tmp_path: Path) -> None:
    launcher = [
        "-m",
        "deepspeed.launcher.runner",
        "--no_local_rank",
        "--num_accelerators",
        "2",
        "--master_port",
        free_port(),
    ]
    env = {**os.environ, **ON_CPU}
    command = [sys.executable, *launcher, str(SCRIPT), str(tmp_path)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert json.loads((tmp_path / "ranks.json").read_text()) == 2
    assert_close(load_file(tmp_path / "result.safetensors"), undisturbed[0])
