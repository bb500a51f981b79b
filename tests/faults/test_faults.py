"""The quick part of `python -m tests.faults`: a sample of every part and fault. The whole of it is told in docs/reliability.md."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.layer import PRELOAD, built, compiler
from tests.faults.power import cut_power
from tests.harness.small import ROOT, environment


@pytest.mark.skipif(compiler() is None, reason="the fault layer is C")
@pytest.mark.slow
def test_every_part_ends_in_its_undisturbed_result() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--quick"], capture_output=True, text=True, env=environment(), cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if " tried " in line]
    assert len(rows) == 10 * 6  # parts, and faults
    assert all(row[row.index("tried") + 1] != "0" for row in rows)


def test_a_power_cut_takes_what_was_not_flushed(tmp_path: Path) -> None:
    flushed, lost, moved = (tmp_path / name for name in ("flushed", "lost", "moved"))
    for file in (flushed, lost, moved):
        file.write_bytes(b"x" * 10)
    journal = tmp_path / "journal"
    lines = [
        ("write", flushed, "", 0, 10),
        ("write", tmp_path / "before", "", 2, 3),
        ("write", lost, "", 0, 99),
        ("sync", flushed, "", 0, 0),
        ("rename", tmp_path / "before", moved, 0, 0),
    ]
    journal.write_text("".join("\t".join(map(str, line)) + "\n" for line in lines))
    cut_power(journal)
    assert flushed.read_bytes() == b"x" * 10
    assert lost.read_bytes() == bytes(10)
    assert moved.read_bytes() == b"xx\0\0\0xxxxx"


CARELESS = """
import sys
from pathlib import Path
from tests.faults.layer import Fault
from tests.faults.part import Part, digests
from tests.faults.trial import tried

def act(folder):
    for name in ("a", "b"):
        if not (folder / name).exists():
            (folder / name).write_text("x" * 100)

faults = [Fault[name] for name in sys.argv[1:]]
for tally in tried(Part("careless", act, lambda folder: digests(folder, "*")), faults, None, 60):
    print(tally.fault, tally.points, tally.tried, tally.tried - tally.survived)
"""


@pytest.mark.skipif(compiler() is None, reason="the fault layer is C")
def test_a_part_that_takes_no_care_is_found_out() -> None:
    """Two files, each made and then written: cut off in between, an empty or a half one counts as there."""
    lost = {"KILL": 2, "TORN": 2, "POWER": 3, "FULL": 2}
    done = subprocess.run(
        [sys.executable, "-c", CARELESS, *lost],
        capture_output=True,
        text=True,
        env={**environment(), PRELOAD: str(built())},
        cwd=ROOT,
    )
    said = {words[0]: words[1:] for words in map(str.split, done.stdout.splitlines())}
    assert said == {fault: ["4", "4", str(number)] for fault, number in lost.items()}, done.stderr


CLOCK = """
import sys, time
from pathlib import Path
from tests.faults.layer import take_clock, write_clock

file = Path(sys.argv[1])
write_clock(file, 0)
take_clock(file)
steady, before = time.monotonic(), time.time()
write_clock(file, -86400)
print(round((time.time() - before) / 3600), round(time.monotonic() - steady), file.stat().st_mtime > time.time() + 80000)
"""


@pytest.mark.skipif(compiler() is None, reason="the fault layer is C")
def test_a_clock_that_is_set_back_is_told_to_those_who_have_taken_it(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOCK, str(tmp_path / "clock")],
        capture_output=True,
        text=True,
        env={**environment(), PRELOAD: str(built())},
        cwd=ROOT,
    )
    assert done.stdout == "-24 0 True\n", done.stderr


@pytest.mark.skipif(compiler() is None, reason="the fault layer is C")
@pytest.mark.slow
def test_whole_commands_survive_a_kill_a_crowd_and_a_clock_set_back() -> None:
    words = [word for case in ("crowd", "clock", "kills") for word in ("--case", case)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.runs", *words, "--kills", "2"],
        capture_output=True,
        text=True,
        env=environment(),
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "kills, all" in done.stdout
