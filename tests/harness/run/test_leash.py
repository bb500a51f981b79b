"""A program on a leash ends with all that it has started, when its command lets go of it or is gone."""

import subprocess
import time

import psutil
import pytest

from harness.run.leash import leashed
from tests.harness.small import ROOT

FAMILY = "sh -c 'sleep 60 & exec sleep 60' & sleep 60; true"  # the first sleep's parent goes on as another program


def started(*program: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(leashed(program), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)


@pytest.mark.parametrize("how", ["input", "signal"])
def test_it_ends_with_all_that_it_has_started(how: str) -> None:
    with started("sh", "-c", FAMILY) as leash:
        deadline = time.monotonic() + 60
        while len(family := psutil.Process(leash.pid).children(recursive=True)) < 4:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        if how == "input":
            assert leash.stdin is not None
            leash.stdin.close()
        else:
            leash.terminate()
        assert leash.wait(timeout=30) != 0
        assert not [one for one in family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


def test_what_a_program_leaves_behind_ends_with_it() -> None:
    with started("sh", "-c", "sleep 60 & echo $!; exit 3") as leash:
        assert leash.wait(timeout=30) == 3
        assert leash.stdout is not None
        assert not psutil.pid_exists(int(leash.stdout.read()))


@pytest.mark.parametrize(
    ("program", "code"), [(("true",), 0), (("sh", "-c", "exit 3"), 3), (("sh", "-c", "kill -9 $$"), 137)]
)
def test_it_ends_as_the_program_does(program: tuple[str, ...], code: int) -> None:
    with started(*program) as leash:
        assert leash.wait(timeout=30) == code
