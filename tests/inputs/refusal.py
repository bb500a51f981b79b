"""One command that is given something wrong, in this process, and what came of it."""

import errno
import os
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from pkgutil import resolve_name
from types import FrameType
from unittest.mock import patch

import click
import decord
import mlflow
import optuna
import peft

from harness import cli
from tests.inputs.files import BRACKETS, LONG

LOADED = (decord, mlflow, optuna, peft)  # before any alarm, which would cut an import short
QUICK = 30  # seconds: a command that has not answered by then hangs; on an idle core one answers in a tenth of a second
LONGEST = 1300  # letters of a message that a person reads
MODULES = ("svi.perf.__main__", "sweeps.perf", "benchmarks.perf.vbench")
WORDS = {
    "{long}": LONG,
    "{brackets}": BRACKETS,
    "{nul}": "\0",
    "{surrogate}": "\udcff",
    "{digits}": "9" * 5000,
    "{_}": " ",
}


class Hangs(BaseException):
    """A command did not answer in time."""


@dataclass(frozen=True)
class Refusal:
    """The exit code, what was printed where, the seconds it took, and whether anything was begun in the store."""

    code: int | None
    out: str
    err: str
    seconds: float
    began: bool

    @property
    def message(self) -> str:
        """The one line that says what is wrong; empty where there is none, or more."""
        lines = [line for line in self.err.splitlines() if line.strip()] or [""]
        said = [line for line in lines if line.startswith(("harness: ", "sweeps.perf: ", "Error: "))]
        return said[0] if said == lines[-1:] else ""  # notes of what was skipped may stand before it

    @property
    def faults(self) -> list[str]:
        """Why it is no clear refusal; empty for one that is."""
        found = {
            f"exit code {self.code}": self.code != 2,
            "a traceback": "Traceback" in self.err + self.out,
            "no message of one line": not self.message,
            f"a message of {len(self.message)} letters": len(self.message) > LONGEST,
            "work was begun": self.began,
            f"{self.seconds:.0f} s": self.seconds > QUICK,
        }
        return [fault for fault, there in found.items() if there]


def refusal(line: str, files: Path, scratch: Path) -> Refusal:
    """Of a command line, split at its spaces. `{f}` is the folder of bad files, `{s}` the case's own; the first word may be a
    module of `MODULES`. A command that takes --store and is given none has a new one."""
    words = []
    for word in line.split(" "):
        for name, value in {**WORDS, "{f}": str(files), "{s}": str(scratch)}.items():
            word = word.replace(name, value)
        words.append(word)
    program, given = (words[0], words[1:]) if words[0] in MODULES else ("harness", words)
    store = scratch / "runs"
    if program == "harness" and not any(word.startswith("--store") for word in given) and _takes_store(given):
        given += ["--store", str(store)]
    out, err, code = StringIO(), StringIO(), 0
    began = time.monotonic()
    with _a_command(program, given, scratch), redirect_stdout(out), redirect_stderr(err):
        try:
            cli.main() if program == "harness" else runpy.run_module(program, run_name="__main__")
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Hangs:
            code = errno.ETIMEDOUT
        except BaseException:
            traceback.print_exc()
            code = 1
    work = any((store / name).exists() for name in ("artifacts", "partial"))
    return Refusal(code, out.getvalue(), err.getvalue(), time.monotonic() - began, work)


def _takes_store(words: list[str]) -> bool:
    command = cli.COMMANDS.get(words[0]) if words else None
    found = resolve_name(command) if command else None
    if isinstance(found, click.Group):
        found = found.commands.get(words[1] if len(words) > 1 else "")
    return isinstance(found, click.Command) and any("--store" in one.opts for one in found.params)


@contextmanager
def _a_command(program: str, words: list[str], folder: Path) -> Iterator[None]:
    """As a process of its own would find it; ended after `QUICK`."""

    def late(_number: int, _frame: FrameType | None) -> None:
        raise Hangs

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)}
    path, environment = list(sys.path), dict(os.environ)
    signal.signal(signal.SIGALRM, late)
    signal.alarm(QUICK)
    try:
        with chdir(folder), patch.object(sys, "argv", [program, *words]), suppress(Hangs):
            yield
    finally:
        signal.alarm(0)
        sys.path[:] = path
        os.environ.clear()
        os.environ.update(environment)
        for number, handler in before.items():
            signal.signal(number, handler)
