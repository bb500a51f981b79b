"""`harness ui`: MLflow's own web pages, served on this machine only."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from urllib.parse import quote, urlsplit

import click

from harness.commands.browser import show_in_browser
from harness.commands.options import STORE, Whole
from harness.commands.ui_login import USER, Login, check_login, new_login
from harness.core.credentials import shown
from harness.core.errors import UseError
from harness.results.runs import RunRecord, find_run, runs
from harness.run.leash import leashed
from harness.tracking import resolve_uri, view_key
from harness.tracking.own import own_artifacts, own_database, settle_in
from harness.tracking.server import DATABASE_PORTS, ENVIRONMENT, refused, sqlite_path, unreachable

HOST = "127.0.0.1"
SQLITE = b"SQLite format 3"  # how such a file begins
CHARTS = "&compareRunsMode=CHART"  # behind the address of a view


@click.command()
@click.argument("run", required=False)
@STORE
@click.option("--port", type=Whole(1, 65535), default=5000, show_default=True)
@click.option("--uri", default=None, help="MLflow tracking URI  [default: the store's own]")
@click.option(
    "--password", is_flag=True, help="ask for a password, which is printed: other users of this machine have none"
)
def ui(run: str | None, store: Path, port: int, uri: str | None, password: bool) -> None:
    """MLflow's pages, on this machine only, at the table of a run (the newest one if none is named)."""
    shown_first = runs(store) if run is None else [find_run(store, run)]
    sys.exit(serve(resolve_uri(uri, store), store, port, click.echo, shown_first, password))


def serve(
    uri: str,
    store_root: Path,
    port: int,
    say: Callable[[str], None],
    shown_first: Sequence[RunRecord] = (),
    password: bool = False,
) -> int:
    """Serve the runs at a resolved tracking URI until interrupted; returns MLflow's exit code, 0 when interrupted.

    A busy port is replaced by a free one; the address is said once the pages answer, with that of the view of the first of these
    runs that has one, which is opened. `password`: the pages ask for one, which is said too. Raises UseError when there is no
    database yet, the URI is a server, which serves its own pages, or MLflow cannot ask.
    """
    if uri.startswith(("http://", "https://")):
        raise UseError(f"{shown(uri)} is a server with pages of its own; expected a database: open it in a browser")
    if shown(uri) != uri and urlsplit(uri).scheme.partition("+")[0] not in DATABASE_PORTS:
        # MLflow would print all of it.
        raise UseError(
            f"--uri {shown(uri)}: credentials before no database; expected postgresql+psycopg://USER:PASSWORD@HOST/NAME"
        )
    path = sqlite_path(uri)
    if path is None:
        _check_place(uri)
    if path is not None and not path.is_file():
        raise UseError(
            f"no MLflow database at {path}; expected one made by a run: `harness run ablation_eimg` makes it"
        )
    if path is not None and not _begins(path, SQLITE):
        raise UseError(f"{path} is no sqlite database; expected one made by a run: move it away, or name another")
    if password:
        check_login()
    if path == own_database(store_root):
        settle_in(store_root)
    with new_login() if password else nullcontext(Login()) as login:
        return _serve(uri, store_root, port, say, shown_first, login)


def _serve(
    uri: str, store_root: Path, port: int, say: Callable[[str], None], shown_first: Sequence[RunRecord], login: Login
) -> int:
    chosen = free_port(port)
    leash = leashed([*_command(store_root, chosen), *login.options])  # it ends with this process
    environment = {**_environment(uri), **login.environment}
    server = subprocess.Popen(leash, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    # A terminal's Ctrl-C reaches the server by itself, in the same process group; a SIGTERM is for this process only.
    previous = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    try:
        _announce(server, chosen, f" (port {port} is busy)" if chosen != port else "", say, shown_first, login)
        return max(server.wait(), 0)
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, previous)
        _stop(server)


def _begins(path: Path, with_: bytes) -> bool:
    with path.open("rb") as file:
        return file.read(len(with_)) == with_


def _check_place(uri: str) -> None:
    """Raises UseError for a database that does not let us in within seconds, and for a URI of nothing that MLflow reads.

    MLflow itself tries for minutes, and prints the URI with its password.
    """
    scheme = urlsplit(uri).scheme.partition("+")[0]
    if scheme in DATABASE_PORTS:
        if reason := unreachable(uri) or refused(uri):
            raise UseError(f"--uri {shown(uri)}: the database cannot be reached ({reason}); start it, or name another")
    elif scheme != "file" and (scheme or not uri or not Path(uri).is_dir()):
        raise UseError(
            f"--uri {shown(uri)!r}: expected sqlite:///FILE, postgresql+psycopg://USER:PASSWORD@HOST/NAME, or a folder that MLflow "
            "keeps runs in"
        )


def _command(store_root: Path, port: int) -> list[str]:
    artifacts = own_artifacts(store_root).as_uri()
    options = ["--host", HOST, "--port", str(port), "--workers", "1", "--uvicorn-opts", "--log-level warning"]
    return [sys.executable, "-m", "mlflow", "server", *options, "--artifacts-destination", artifacts]


def _environment(uri: str) -> dict[str, str]:
    """The URI goes by the environment, where a database's password is not in every process list."""
    quiet = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    return {**ENVIRONMENT, **os.environ, **quiet, "MLFLOW_BACKEND_STORE_URI": uri}


def free_port(wanted: int) -> int:
    """The wanted port, or any other where it is taken."""
    with socket.socket() as probe:
        # As the server itself does: a port that only waits for its last connection to fade is free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _announce(
    server: subprocess.Popen[bytes],
    port: int,
    remark: str,
    say: Callable[[str], None],
    shown_first: Sequence[RunRecord],
    login: Login,
) -> None:
    address = f"http://{HOST}:{port}"
    say("MLflow starts; its pages take some seconds")
    while server.poll() is None:
        if unreachable(address) is None:
            say(f"MLflow: {address}{remark}; Ctrl-C stops it")
            say(
                f"these pages ask for a name and a password: {USER} and {login.password}"
                if login.password
                else "these pages ask for no password (--password): whoever is logged in to this machine can open them"
            )
            _show(address, say, shown_first, login)
            return
        time.sleep(0.2)


def _show(address: str, say: Callable[[str], None], shown_first: Sequence[RunRecord], login: Login) -> None:
    for run in shown_first:
        if (experiment := _experiment_id(address, run.experiment, login)) is not None:
            page = view_address(address, experiment, run.name)
            say(f"{run.name}: {page}\nits charts: {page}{CHARTS}")
            show_in_browser(page)
            return


def view_address(address: str, experiment: str, run: str) -> str:
    """MLflow's page with the table of a run's variants; MLflow opens in another mode, which hides runs, unless it is told."""
    return f"{address}/#/experiments/{experiment}/runs?workflowType=machine_learning&viewStateShareKey={view_key(run)}"


def _experiment_id(address: str, name: str, login: Login) -> str | None:
    """MLflow's id of the experiment, None where it does not have it."""
    query = f"{address}/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(name)}"
    try:
        with urllib.request.urlopen(urllib.request.Request(query, headers=login.headers), timeout=30) as answer:
            return str(json.load(answer)["experiment"]["experiment_id"])
    except (OSError, ValueError, KeyError):
        return None


def _stop(server: subprocess.Popen[bytes]) -> None:
    if server.poll() is None:
        server.terminate()
    try:
        server.wait(timeout=10)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
