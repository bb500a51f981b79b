"""Ends whole families of processes; and `python -m harness.run.leash PROGRAM...`, a program that does not outlive its command.

The command holds the other end of the leash's standard input. The system closes it however the command ends, a kill included,
and then the program ends with all that it has started, whatever that is: DeepSpeed's launcher looks at no parent.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from contextlib import suppress

import psutil

TERMINATE_SECONDS = 5.0
PR_SET_CHILD_SUBREAPER = 36  # of Linux: who becomes the parent of orphans


def leashed(program: Sequence[str]) -> list[str]:
    """The command line of a program on a leash; to be started with a pipe as its standard input."""
    return [sys.executable, "-m", "harness.run.leash", *program]


def end_trees(pids: Iterable[int]) -> None:
    """Terminate processes and their descendants, and kill those that do not end."""
    roots: list[psutil.Process] = []
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            roots.append(psutil.Process(pid))
    _end([one for root in roots for one in (*_descendants(root), root)])


def end_descendants() -> None:
    """The same of all that this process has started, also of what is started meanwhile."""
    while family := _descendants(psutil.Process()):
        _end(family)


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    with suppress(psutil.NoSuchProcess):
        return process.children(recursive=True)
    return []


def _end(family: Sequence[psutil.Process]) -> None:
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
    for process in psutil.wait_procs(family, timeout=TERMINATE_SECONDS)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def main(program: Sequence[str]) -> int:
    """Run the program to its end, or to the end of standard input; its exit code."""
    if sys.platform == "linux":  # elsewhere orphans of the program's own children may be missed
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGINT, lambda *_: None)  # a terminal's Ctrl-C is for the command, which lets go of this
    signal.signal(signal.SIGTERM, _terminated)
    child = subprocess.Popen(program, stdin=subprocess.DEVNULL)
    let_go = threading.Event()
    threading.Thread(target=_end_with_input, args=(let_go,), daemon=True).start()
    code = child.wait()
    end_descendants()  # it may be the first of them to end
    if let_go.is_set():  # a shell whose last child was ended may call that a success
        return 1
    return code if code >= 0 else 128 - code


def _terminated(number: int, _: object) -> None:
    end_descendants()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _end_with_input(let_go: threading.Event) -> None:
    os.read(0, 1)  # nothing is ever written: it returns at the end
    let_go.set()
    end_descendants()
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
