"""A part of an examination in processes of its own: a kernel that crashes or hangs ends them, not the examination."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

HIDDEN = {"CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"}  # no card for torch, and none for DeepSpeed
TASK = "SLURM_STEP_NUM_TASKS"  # by which a process would wait for the step's others
SAID = "said.txt"
ROWS, DEVICE = "rows.jsonl", "device.json"  # what a part found


class Start(Protocol):
    """How a part is carried out: `svi.card.parts.run` into `out`. Returns what went wrong in a line, empty where nothing did."""

    def __call__(
        self, part: str, out: Path, what: Sequence[str], *, card: bool, seconds: float, ranks: int = 1
    ) -> str: ...


def in_processes(part: str, out: Path, what: Sequence[str], *, card: bool, seconds: float, ranks: int = 1) -> str:
    """In one process, or a rank each; all of them end after so many seconds. `card` False: they see no GPU."""
    out.mkdir(parents=True, exist_ok=True)
    environment = {key: value for key, value in os.environ.items() if key != TASK}
    environment |= {} if card else HIDDEN
    command = [sys.executable, "-m", "svi.card", part, str(out), *what]
    said, until = [out / f"{rank}-{SAID}" for rank in range(ranks)], time.monotonic() + seconds
    started: list[subprocess.Popen[bytes]] = []
    try:
        port = free_port()
        for rank in range(ranks):
            with said[rank].open("wb") as lines:
                own = {**environment, **(rank_of(rank, ranks, port) if part == "together" else {})}
                process = subprocess.Popen(command, env=own, stdout=lines, stderr=lines, start_new_session=True)
                started.append(process)
        while any(process.poll() is None for process in started):
            if any(process.returncode for process in started):
                break  # the other ranks would wait for it
            if time.monotonic() > until:
                return f"not done after {seconds:.0f} s"
            time.sleep(0.1)
        ended = [(process.returncode, file) for process, file in zip(started, said, strict=True) if process.returncode]
    finally:
        for process in started:
            end(process)
    return wrong(*ended[0]) if ended else ""


def rank_of(rank: int, ranks: int, port: int) -> Mapping[str, str]:
    """What tells a process who it is (svi.training.ranks)."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
    return port


def end(process: "subprocess.Popen[bytes]") -> None:
    """With all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wrong(code: int, said: Path) -> str:
    """How a process ended, and the last that it said."""
    lines = [line.strip() for line in said.read_text(errors="replace").splitlines() if line.strip()]
    how = f"ended by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
    return f"{how}: {lines[-1] if lines else 'nothing was said'}"


def read_rows(out: Path) -> list[dict[str, Any]]:
    """Those that a part wrote, as far as it came."""
    file = out / ROWS
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []
