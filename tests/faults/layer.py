"""The fault layer: a forked child in which every change of a file below a folder is counted, and one of them meets a fault."""

import ctypes
import gc
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

from tests.faults.lines import stop_at_line
from tests.faults.power import cut_power

SOURCE = Path(__file__).with_name("shim.c")
PRELOAD = "LD_PRELOAD"
KILLED = -9


class Fault(IntEnum):
    """What meets the change: the first four as in shim.c's enum. POWER: a kill, and what was not flushed is lost. LINE: a kill
    between two lines of Python."""

    NONE = 0
    KILL = 1
    TORN = 2
    FULL = 3
    READ_ONLY = 4
    POWER = 5
    LINE = 6


@dataclass(frozen=True)
class End:
    """How a child ended: its exit code (minus the signal), the points that it passed, and what it said of an error."""

    code: int
    points: int
    said: str = ""


def compiler() -> str | None:
    """The C compiler that the layer needs."""
    return shutil.which("cc") or shutil.which("gcc")


def built() -> Path:
    """The layer, compiled into a new folder."""
    made = Path(tempfile.mkdtemp(prefix="faults-")) / f"lib{SOURCE.stem}.so"
    subprocess.run([compiler() or "cc", "-O2", "-shared", "-fPIC", "-o", str(made), str(SOURCE), "-ldl"], check=True)
    return made


def preload(module: str = "tests.faults") -> None:
    """Have the layer in this process: where it is not there, the program is started again with it. Exits without a compiler."""
    if compiler() is None:
        sys.exit("the fault layer is C: install a compiler (cc or gcc)")
    if SOURCE.stem not in os.environ.get(PRELOAD, ""):
        environment = {**os.environ, PRELOAD: str(built())}
        os.execve(sys.executable, [sys.executable, "-m", module, *sys.argv[1:]], environment)


def take_clock(file: Path) -> None:
    """From here on the time of day in this process is the system's, and as many seconds as `file` says (`write_clock`)."""
    if ctypes.CDLL(os.environ[PRELOAD]).faults_clock(os.fsencode(file)):
        raise OSError(f"{file} cannot be mapped")


def write_clock(file: Path, seconds: int) -> None:
    """Set the clock of all processes that have taken this file's."""
    with file.open("r+b" if file.exists() else "wb") as there:
        there.write(struct.pack("q", seconds))


def in_child(
    act: Callable[[], object], folder: Path, fault: Fault = Fault.NONE, at: int = 0, lines: tuple[str, ...] = ()
) -> End:
    """Carry `act` out in a fork of this process, where change number `at` below `folder` meets the fault (0: none does).

    `lines`: the files between whose lines Fault.LINE counts and stops.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    gc.freeze()  # what is there already is not walked in the child, which would copy it
    journal = folder.with_name(f"{folder.name}.journal")
    journal.unlink(missing_ok=True)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        _act(act, folder, fault, at, lines, write, journal)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read()
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if fault == Fault.POWER and code == KILLED:
        cut_power(journal)
    journal.unlink(missing_ok=True)
    points, said = (struct.unpack("q", told[:8])[0], told[8:].decode()) if len(told) >= 8 else (at, "")
    return End(code, points, said)


def _act(
    act: Callable[[], object], folder: Path, fault: Fault, at: int, lines: tuple[str, ...], write: int, journal: Path
) -> None:
    """Never returns: the child ends here."""
    shim, said, code, passed = ctypes.CDLL(os.environ[PRELOAD]), "", 0, None
    shim.faults_count.restype = ctypes.c_long
    try:
        if fault == Fault.LINE:
            passed = stop_at_line(lines, at)
        else:
            how = Fault.KILL if fault == Fault.POWER else fault
            log = str(journal) if fault == Fault.POWER else ""
            shim.faults_arm(os.fsencode(folder), ctypes.c_long(at), int(how), os.fsencode(log))
        act()
    except BaseException as error:
        code, said = 1, f"{type(error).__name__}: {error}\n{traceback.format_exc()}"
    shim.faults_disarm()
    sys.settrace(None)
    points = passed() if passed is not None else shim.faults_count()
    os.write(write, struct.pack("q", points) + said.encode())
    os._exit(code)
