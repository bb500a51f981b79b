"""Tiny stages that tests run in worker processes, and what such tests share."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from harness.core.graph import Graph, Node
from harness.core.job import Job

STEPS = 32
HERE = "tests.harness.run.stage_functions"


def node(
    label: str, function: str = "write", upstream: Any = None, identity: Any = None, kind: str = "make", **more: Any
) -> Node:
    """A node whose identity is its label, unless given."""
    return Node(
        kind=kind,
        version=1,
        label=label,
        identity={"name": label} if identity is None else identity,
        runtime=more.pop("runtime", {}),
        upstream=upstream or {},
        target=f"{HERE}:{function}",
        **more,
    )


def graph(*nodes: Node) -> Graph:
    """A graph of the nodes, in their order."""
    made = Graph()
    for one in nodes:
        made.add(one)
    return made


def silent(_: object) -> None:
    """No listener."""


def lines(file: Path) -> list[str]:
    """What a ledger holds by now."""
    return file.read_text().splitlines() if file.is_file() else []


def note(job: Job, line: str) -> None:
    """Append a line to the file that the test reads, if it gave one."""
    if "ledger" in job.settings:
        with Path(job.settings["ledger"]).open("a") as file:
            file.write(f"{line}\n")


def write(job: Job) -> None:
    """Write the settings and what upstream wrote."""
    note(job, str(job.settings.get("name")))
    given = [one for group in job.inputs.values() for one in (group if isinstance(group, list) else [group])]
    (job.folder / "out.txt").write_text(
        " ".join([str(job.settings.get("name")), *((f / "out.txt").read_text() for f in given)])
    )


def step_by_step(job: Job) -> None:
    """Resumable steps of a twentieth of a second, each noted in the ledger."""
    state = job.folder / "state.txt"
    first = int(state.read_text()) if state.is_file() else 0
    for step in range(first, STEPS):
        time.sleep(float(job.settings.get("pause", 0.05)))
        note(job, f"step {step}")
        state.write_text(str(step + 1))
        job.counting("step")(step + 1, STEPS)


def both_ends(job: Job) -> None:
    """Note the beginning and the end, a second apart."""
    note(job, "+")
    time.sleep(1)
    note(job, "-")


CLOCK = [0.0]  # seconds, which only what is timed lets pass


def timed(job: Job) -> None:
    """Load for 20 seconds, then three steps of half a second each."""
    CLOCK[0] += 20.0
    for step in range(3):
        CLOCK[0] += 0.5
        job.counting("step")(step + 1, 3)


def timed_in_two_parts(job: Job) -> None:
    """Four steps of five seconds each for a codec, then what `timed` does."""
    for step in range(4):
        CLOCK[0] += 5.0
        job.counting("codec step", then="step")(step + 1, 4)
    timed(job)


def noisy(job: Job) -> None:
    """Print from Python and from a child process."""
    print("from python")
    subprocess.run([sys.executable, "-c", "print('from a child')"], check=True)
    (job.folder / "out.txt").write_text("done")


def fail(_: Job) -> None:
    """Fail with a message for people, on two lines."""
    raise ValueError("the loss is nan;\nlower train.lr")


def fail_second(job: Job) -> None:
    """The second rank fails, the first would wait for it."""
    if not job.first_rank:
        raise ValueError("this rank is lost")
    time.sleep(600)


def broken(_: Job) -> None:
    """Fail with a fault of the program."""
    raise RuntimeError("oops")


def leave(_: Job) -> None:
    """End as some libraries do."""
    sys.exit(3)


def die(job: Job) -> None:
    """End as the system's out-of-memory killer would have it; every later attempt works."""
    marker = job.folder / "tried"
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def die_later(job: Job) -> None:
    """Fail at the third of ten steps; every later attempt works."""
    marker = job.folder / "tried"
    if not marker.exists():
        marker.touch()
        job.counting("step")(3, 10)
        raise ValueError("lost at step 3")


def pid(job: Job) -> None:
    """Note the process id and rank, then write."""
    note(job, f"{os.getpid()} {os.environ.get('RANK', '-')} {job.first_rank} {os.environ['OMP_NUM_THREADS']}")
    (job.folder / f"rank-{os.environ.get('RANK', '0')}").touch()


def sleep(job: Job) -> None:
    """Note the process id, then take far too long."""
    note(job, str(os.getpid()))
    time.sleep(60)


def judge(job: Job) -> None:
    """Note the process id of a program of its own, and wait for it, as a score of VBench's own package does."""
    program = subprocess.Popen(["sleep", "60"])
    note(job, str(program.pid))
    program.wait()


def says_its_card(job: Job) -> None:
    """What CUDA_VISIBLE_DEVICES is for this stage; long enough that two overlap."""
    (job.folder / "card").write_text(os.environ["CUDA_VISIBLE_DEVICES"])
    time.sleep(1)
