"""`harness` commands at a size for tests: in this process, or in processes of their own."""

import os
import shutil
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, chdir, contextmanager, nullcontext, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from unittest.mock import patch

from harness.cli import main
from harness.core.store import Store
from harness.run.local import Local
from harness.run.worker import HARNESS_PID, run_job
from harness.tracking import server
from tests.once import made_once
from tests.undrawn import undrawn

ROOT = Path(__file__).parents[2]
SMALL = (
    "tiny.steps=12",
    "tiny.layers=1",
    "data.clips=48",
    "data.fps=2",
    "train.steps=12",
    "train.checkpoint_every=4",
    "train.log_every=4",
    "generate.steps=2",
    "generate.samples=2",
)
ONE_TRACK = "tracks=consistent-50s"
SUBMIT, NEW_CLIENT = Local.submit, server.new_client


def command(*arguments: str, store: Path) -> list[str]:
    """The command line, as a list."""
    return [sys.executable, "-m", "harness", *arguments, "--store", str(store)]


def environment() -> dict[str, str]:
    """One thread a process, the checkout's own code."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


def process(*arguments: str, store: Path, timeout: float = 600) -> CompletedProcess[str]:
    """Run a command to its end as a person does: a process, its stages in processes of their own."""
    return subprocess.run(
        command(*arguments, store=store), capture_output=True, text=True, env=environment(), cwd=ROOT, timeout=timeout
    )


def harness(
    *arguments: str, store: Path, cwd: Path = ROOT, variables: Mapping[str, str] | None = None, drawn: bool = True
) -> CompletedProcess[str]:
    """Run a command to its end in this process, its stages too: the libraries are loaded here already.

    `variables` are of the environment; the figures of a report are left empty unless `drawn`. Stages with a launcher still get
    processes of their own.
    """
    out, err, code = StringIO(), StringIO(), 0
    words = ["harness", *arguments, "--store", str(store)]
    figures = nullcontext() if drawn else undrawn()
    with _as_a_command(words, cwd, variables or {}), figures, redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except Exception:
            traceback.print_exc()
            code = 1
    return CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def database() -> Path:
    """An empty sqlite database with MLflow's tables, made once a session: its migrations take seconds."""

    def make(folder: Path) -> None:
        from mlflow import MlflowClient

        folder.mkdir()
        MlflowClient(f"sqlite:///{folder / 'mlflow.db'}").search_experiments()

    return made_once("mlflow", make) / "mlflow.db"


def prepared(root: Path) -> Path:
    """A new store with MLflow's database, for commands in processes of their own."""
    Store(root)
    shutil.copy(database(), root / "mlflow.db")
    return root


@contextmanager
def _as_a_command(words: list[str], cwd: Path, variables: Mapping[str, str]) -> Iterator[None]:
    """What a process of its own would have, and what a command changes in its process put back."""
    names = {*variables, HARNESS_PID, "PYTHONWARNINGS"}
    before = {name: os.environ.get(name) for name in names}
    handler, path = signal.getsignal(signal.SIGTERM), list(sys.path)
    os.environ.update(variables)
    with ExitStack() as stack:
        stack.enter_context(chdir(cwd))
        stack.enter_context(patch.object(sys, "argv", words))
        stack.enter_context(patch.object(Local, "submit", _submit_here))
        stack.enter_context(patch.object(server, "new_client", _client_of_a_copy))
        try:
            yield
        finally:
            sys.path[:] = path
            signal.signal(signal.SIGTERM, handler)
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.update({name: value})


def _submit_here(local: Local, store: Store, node: Any) -> Future[None]:
    """`Local.submit` without a worker: the stage has ended when it returns."""
    if node.launcher:
        return SUBMIT(local, store, node)
    future: Future[None] = Future()
    # Over the file descriptor, which run_job sends to the stage's log.
    with os.fdopen(1, "w", closefd=False) as out, redirect_stdout(out), redirect_stderr(out):
        try:
            run_job(str(store.root), node.fields(), local._facts)
            future.set_result(None)
        except Exception as error:
            future.set_exception(error)
    return future


def _client_of_a_copy(uri: str) -> Any:
    """MLflow's client, on a copy of the empty database where there is none yet."""
    path = server.sqlite_path(uri)
    if path is not None and not path.exists():
        copy = path.with_name(f"{path.name}.{os.getpid()}")
        shutil.copy(database(), copy)
        copy.rename(path)
    return NEW_CLIENT(uri)
