"""A whole command at the smallest size, in a fork that is a process group of its own and has its libraries loaded already."""

import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import psutil
from sqlalchemy import create_engine, text

from harness.core.checksums import FILES
from harness.core.store import LABEL, read_manifest, split_name
from tests.faults.part import Result, digest
from tests.harness.finished import table
from tests.harness.small import ONE_TRACK, SMALL, harness

SMALLER = ("tiny.steps=6", "data.clips=12", "train.steps=6", "train.checkpoint_every=2", "generate.samples=1")
_TEXT = dict(word.split("=") for word in (*SMALL, *SMALLER, "train.show_errors=true"))
WORDS = tuple(f"{key}={value}" for key, value in _TEXT.items())
RUN = ("run", "ablation_eimg", "--only", "full", ONE_TRACK, *WORDS)  # all kinds of stage
PATIENCE = 1800.0  # seconds after which a command is said to wait forever


@dataclass(frozen=True)
class End:
    """How a command ended: its exit code (minus the signal), the processor time that it took (seconds), and what it printed."""

    code: int
    seconds: float
    out: str = ""
    err: str = ""

    @property
    def last(self) -> str:
        """What it said last, for people."""
        return (self.err.strip() or self.out.strip()).rpartition("\n")[-1]


class Command:
    """One that was started; it runs beside this process."""

    def __init__(self, *words: str, store: Path, before: Callable[[], object] = lambda: None) -> None:
        """`before` is called in the new process first."""
        self._said = store.parent / f"said-{time.monotonic_ns()}.json"
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._act(words, store, before)

    def _act(self, words: Sequence[str], store: Path, before: Callable[[], object]) -> None:
        """Never returns: the child ends here."""
        code = 1
        try:
            os.setsid()
            silent = os.open(os.devnull, os.O_WRONLY)
            for stream in (1, 2):
                os.dup2(silent, stream)
            before()
            done = harness(*words, store=store, drawn=False)
            told = {"code": done.returncode, "out": done.stdout, "err": done.stderr, "modules": list(sys.modules)}
            self._said.write_text(json.dumps(told))
            code = done.returncode
        except BaseException:
            self._said.write_text(json.dumps({"code": 1, "out": "", "err": traceback.format_exc(), "modules": []}))
        os._exit(code)

    def spent(self) -> float:
        """Seconds of processor time so far; infinite once it has ended."""
        with suppress(psutil.Error):
            process = psutil.Process(self.pid)
            if process.status() != psutil.STATUS_ZOMBIE:
                times = process.cpu_times()
                return float(times.user + times.system)
        return float("inf")

    def kill(self) -> End:
        """SIGKILL to the whole group."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return self.wait()

    def wait(self, seconds: float = PATIENCE) -> End:
        """Until it has ended. Raises TimeoutError, and kills it, where it does not."""
        deadline = time.monotonic() + seconds
        while not (waited := os.wait4(self.pid, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                self.kill()
                raise TimeoutError(f"it did not end in {seconds:.0f} s")
            time.sleep(0.02)
        code, spent = os.waitstatus_to_exitcode(waited[1]), waited[2].ru_utime + waited[2].ru_stime
        if code < 0:
            return End(code, spent)
        told = json.loads(self._said.read_text())
        self._said.unlink()
        _load(told["modules"])
        return End(code, spent, told["out"], told["err"])


def _load(modules: Sequence[str]) -> None:
    """What a command needed, its successors find loaded: most of a small command's time is that."""
    for name in modules:
        if name not in sys.modules and not name.startswith("_"):
            with suppress(Exception):
                import_module(name)


def run(*words: str, store: Path) -> End:
    """A command to its end."""
    return Command(*words, store=store).wait()


def result(root: Path, end: End, runs: str | None = None) -> Result:
    """All that a command must end in: the table that it printed, each file of each stage, and what MLflow was told, whose database
    is at the URL `runs` (None: the store's own). Not the words of the command itself, which name its server."""
    found = {"table": digest(table(end.out).encode())}
    for manifest in (root / "artifacts").glob("*/*/manifest.json"):
        kind = manifest.parent.parent.name
        found |= {f"{kind}: {name}": str(about[-1]) for name, about in read_manifest(manifest.parent)[FILES].items()}
    found.pop("report: reproduce.txt", None)
    return found | _told(runs or f"sqlite:///{root / 'mlflow.db'}")


def _told(url: str) -> Result:
    """Each run's status, and each curve's points; a point that was sent twice counts twice."""
    engine = create_engine(url)
    with closing(engine.connect()) as db:
        runs = db.execute(text("select name, status from runs where lifecycle_stage = 'active'")).all()
        points = db.execute(
            text("select r.name, m.key, m.step, m.value from metrics m join runs r on r.run_uuid = m.run_uuid")
        ).all()
    engine.dispose()
    curves: dict[str, list[tuple[int, float]]] = {}
    for name, key, step, value in points:
        curves.setdefault(f"MLflow: {name}, {key}", []).append((step, value))
    told = {name: digest(str(sorted(curve)).encode()) for name, curve in curves.items()}
    return {"MLflow: runs": str(sorted(map(tuple, runs))), **told}


def under_way(root: Path) -> str:
    """The kind of stage that was being made in a store; else where the command stood."""
    kinds = {split_name(folder.name)[0] for folder in (root / "partial").glob("*") if (folder / LABEL).exists()}
    if kinds:
        return "+".join(sorted(kinds))
    return "after the last stage" if any((root / "artifacts" / "report").glob("*/manifest.json")) else "between stages"
