"""One of two ranks of a training, killed in its middle."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import psutil

from tests.faults.command import RUN, Command, End, result, run
from tests.faults.reference import Reference

# Long enough to be met in the middle.
WORDS = (*(word for word in RUN if not word.startswith("train.steps=")), "train.ranks=2", "train.steps=60")
BEFORE = 2  # stages: the base model and the latent cache


def ranks(reference: Reference) -> str | None:
    """The command says so and leaves nothing behind, and the same command again ends in the undisturbed result."""
    expected = _whole(reference.store("two", BEFORE))
    for rank in (1, 0):
        root = reference.store("killed", BEFORE)
        if (wrong := _kill(rank, root)) is not None:
            return f"rank {rank}: {wrong}"
        if (found := _whole(root)) != expected:
            return f"rank {rank}: another result: {', '.join(name for name in expected if expected[name] != found.get(name))}"
    return None


def _kill(rank: int, root: Path) -> str | None:
    """The command that loses this rank; why it did not end as it should."""
    command = Command(*WORDS, store=root)
    while not any(root.glob("partial/train-*/checkpoints/latest.json")):
        if command.spent() == float("inf"):
            return f"it ended before: {command.wait().last}"
        time.sleep(0.01)
    family = psutil.Process(command.pid).children(recursive=True)
    os.kill(_process_of(rank, family).pid, signal.SIGKILL)
    end = command.wait()
    left = [one for one in psutil.wait_procs(family, timeout=10)[1] if one.status() != psutil.STATUS_ZOMBIE]
    if left:
        return f"it left {[one.cmdline() for one in left]}"
    if end.code != 1 or "Traceback" in end.err or "train full, seed 0: failed" not in end.err:
        return f"it ended with {end.code}: {end.err[-500:]}"
    return None


def _process_of(rank: int, family: list[psutil.Process]) -> psutil.Process:
    for one in family:
        with suppress(psutil.Error):
            if one.environ().get("RANK") == str(rank) and "harness.run.worker" in " ".join(one.cmdline()):
                return one
    raise LookupError(f"no rank {rank} among {[one.cmdline() for one in family]}")


def _whole(root: Path) -> dict[str, str]:
    """What the command ends in: all that is computed, without what tells of time."""
    end: End = run(*WORDS, store=root)
    assert end.code == 0, end.err
    found = result(root, end)
    return {name: value for name, value in found.items() if name == "table" or name.endswith((".csv", ".npz", ".npy"))}
