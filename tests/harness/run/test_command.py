"""A command that carries stages out, in a process of its own: ended in any way, it leaves nothing running."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from harness.core.store import Store
from tests.harness.run.stage_functions import STEPS, lines
from tests.harness.waiting import until

ROOT = Path(__file__).parents[3]
COMMAND = """
import sys
from pathlib import Path

import click

from harness import cli
from harness.core.store import Store
from harness.run.local import Local
from harness.run.schedule import run
from tests.harness.run.stage_functions import graph, node


@click.command()
@click.argument("words", nargs=-1)
def go(words):
    root, ledger, function, *launcher = words
    one = node("one", function, runtime={"ledger": ledger}, launcher=tuple(launcher) or None)
    with Local(1) as executor:
        outcome = run(graph(one), Store(Path(root)), executor, lambda event: None, lambda running: None)
    sys.exit("".join(failure.message for failure in outcome.failed.values()) or 0)


if __name__ == "__main__":
    cli.COMMANDS["go"] = "__main__:go"
    cli.main()
"""
SLOW_LAUNCHER = """
import subprocess, sys, time
from pathlib import Path
orphan = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL).pid)"
told = subprocess.run([sys.executable, "-c", orphan], stdout=subprocess.PIPE, text=True)
Path(sys.argv[1]).write_text(told.stdout)
time.sleep(60)
"""


def start(tmp_path: Path, function: str, *launcher: str, name: str = "command") -> subprocess.Popen[bytes]:
    """A command in a process of its own that runs one stage."""
    script = tmp_path / f"{name}.py"
    script.write_text(COMMAND)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = ["go", str(tmp_path / "runs"), str(tmp_path / "ledger"), function, *launcher]
    return subprocess.Popen(
        [sys.executable, str(script), *words], env=environment, start_new_session=True, stderr=subprocess.PIPE
    )


def finished(store: Store) -> list[dict[str, Any]]:
    return list(store.manifests("make"))


def test_a_killed_command_leaves_nothing_running_and_the_next_one_resumes(store: Store, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    command = start(tmp_path, "step_by_step")
    until(lambda: len(lines(ledger)) >= 12)
    family = psutil.Process(command.pid).children(recursive=True)
    os.kill(command.pid, signal.SIGKILL)
    # Not waited for: a killed command that its parent has not collected yet counts as gone too.
    psutil.wait_procs(family, timeout=5)
    assert not [p for p in family if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
    command.wait()
    before = lines(ledger)
    assert before == [f"step {i}" for i in range(len(before))]
    assert len(before) < STEPS
    assert finished(store) == []
    again = start(tmp_path, "step_by_step")
    said = again.communicate(timeout=60)[1].decode()
    assert again.returncode == 0, said
    after = lines(ledger)
    # The step at which the kill came may be done twice, no other.
    assert len(after) <= STEPS + 1
    assert sorted(set(after)) == sorted(f"step {i}" for i in range(STEPS))
    # Both attempts count; of the first, what it had noted half a second in.
    assert finished(store)[0]["seconds"] > (STEPS - len(before)) * 0.05 + 0.4


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_what_a_launcher_or_a_stage_has_started_does_not_outlive_the_command(
    number: int, store: Store, tmp_path: Path
) -> None:
    """A launcher that has not come to its ranks yet, and looks at no parent; a process whose own parent is gone; a judge."""
    launcher = tmp_path / "slow_launcher.py"
    launcher.write_text(SLOW_LAUNCHER)
    (tmp_path / "other").mkdir()
    ledgers = tmp_path / "ledger", tmp_path / "other" / "ledger"
    commands = [
        start(tmp_path, "pid", sys.executable, str(launcher), str(ledgers[0])),
        start(tmp_path / "other", "judge"),
    ]
    until(lambda: all(map(lines, ledgers)))
    started = {child.pid for one in commands for child in psutil.Process(one.pid).children(recursive=True)}
    started |= {int(lines(ledger)[0]) for ledger in ledgers}
    for command in commands:
        command.send_signal(number)
    until(lambda: all(map(is_gone, started)), 30)  # of the 60 that they would take
    for command in commands:
        command.wait()


def test_two_commands_run_a_shared_stage_once(store: Store, tmp_path: Path) -> None:
    commands = [start(tmp_path, "step_by_step", name=name) for name in ("a", "b")]
    assert [command.wait(timeout=30) for command in commands] == [0, 0]
    assert lines(tmp_path / "ledger") == [f"step {i}" for i in range(STEPS)]
    assert len(finished(store)) == 1


@pytest.mark.parametrize(("number", "name", "code"), [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)])
def test_a_signal_ends_the_command_and_its_workers_and_says_what_is_kept(
    number: int, name: str, code: int, store: Store, tmp_path: Path
) -> None:
    command = start(tmp_path, "step_by_step")
    until(lambda: any((store.root / "partial").glob("*/progress.json")))
    family = [child.pid for child in psutil.Process(command.pid).children(recursive=True)]
    os.killpg(command.pid, number)  # as a terminal does: to the whole group
    said = command.communicate(timeout=30)[1].decode()
    assert command.returncode == code
    assert "ending what runs; a moment, please\n" in said
    assert re.search(
        rf"^harness: ended by {name}; 0 of 1 stages are finished and kept, and what was under way: make one \(step \d+/32\)\. "
        r"The same command goes on from there\.$",
        said,
        re.MULTILINE,
    ), said
    assert "Aborted" not in said
    until(lambda: all(map(is_gone, family)), 10)
    assert finished(store) == []
