"""The real MLflow pages, served from a store for as long as a process lives."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from importlib.util import find_spec
from pathlib import Path

import pytest

from harness.commands.ui import serve, view_address
from harness.commands.ui_login import Login
from harness.core.errors import UseError
from harness.tracking import resolve_uri
from harness.tracking.server import unreachable
from tests.harness.small import database, harness

ROOT = Path(__file__).parents[3]
SERVE = """
import sys
from pathlib import Path
from harness.commands.ui import serve, view_address
store, port = Path(sys.argv[1]), int(sys.argv[2])
sys.exit(serve(f"sqlite:///{store}/mlflow.db", store, port, lambda line: print(line, flush=True), (), "closed" in sys.argv))
"""


def test_a_store_without_a_database_names_the_command_that_makes_one(tmp_path: Path) -> None:
    with pytest.raises(UseError, match=r"mlflow\.db.*harness run ablation_eimg"):
        serve(resolve_uri(None, tmp_path), tmp_path, 5000, print)
    assert list(tmp_path.iterdir()) == []


def test_of_what_is_no_database_only_the_beginning_is_read(tmp_path: Path) -> None:
    with (tmp_path / "mlflow.db").open("wb") as file:
        file.truncate(1 << 40)  # more than any memory
    with pytest.raises(UseError, match=r"mlflow\.db is no sqlite database"):
        serve(resolve_uri(None, tmp_path), tmp_path, 5000, print)


def test_a_tracking_server_needs_no_second_one(tmp_path: Path) -> None:
    with pytest.raises(UseError, match=r"http://host:5000.*pages of its own"):
        serve("http://me:secret@host:5000", tmp_path, 5000, print)


def test_a_password_before_no_database_is_not_handed_to_mlflow_which_prints_it(tmp_path: Path) -> None:
    with pytest.raises(UseError, match=r"^--uri host: .*expected postgresql") as caught:
        serve("me:secret@host", tmp_path, 5000, print)
    assert "secret" not in str(caught.value)


def test_the_address_of_a_run_opens_its_view_among_runs() -> None:
    page = view_address("http://127.0.0.1:5000", "7", "ablation_eimg-train.steps=50")
    assert page.startswith(
        "http://127.0.0.1:5000/#/experiments/7/runs?workflowType=machine_learning&viewStateShareKey="
    )
    assert re.fullmatch("[0-9a-f]{16}", page.rpartition("=")[2])


def test_a_run_that_is_not_there_is_said_before_anything_is_served(tmp_path: Path) -> None:
    done = harness("ui", "tlak", store=tmp_path)
    assert (done.returncode, "no run is named 'tlak'" in done.stderr) == (2, True)


@pytest.mark.slow
def test_serves_on_loopback_at_a_free_port_until_told_to_stop(tmp_path: Path) -> None:
    shutil.copy(database(), tmp_path / "mlflow.db")
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        command = [sys.executable, "-c", SERVE, str(tmp_path), str(port)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert "starts" in process.stdout.readline()
            line = process.stdout.readline()
            address = line.split()[1]
            assert address.startswith("http://127.0.0.1:")
            assert f"port {port} is busy" in line
            assert unreachable(address) is None
            process.send_signal(signal.SIGTERM)
            assert process.wait(timeout=20) == 0
    assert unreachable(address) is not None


def test_a_database_that_listens_and_says_nothing_is_refused_soon(tmp_path: Path) -> None:
    """As a PostgreSQL that hangs does; MLflow itself would wait for minutes."""
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        uri = f"postgresql+psycopg://me:hush@127.0.0.1:{mute.getsockname()[1]}/runs"
        began = time.monotonic()
        done = harness("ui", "--uri", uri, store=tmp_path / "runs")
    assert done.returncode == 2
    assert "the database cannot be reached" in done.stderr
    assert "hush" not in done.stderr
    assert time.monotonic() - began < 30  # 3 s, where nothing else runs


def test_a_password_that_mlflow_cannot_ask_for_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flask_wtf", None)
    shutil.copy(database(), tmp_path / "mlflow.db")
    with pytest.raises(UseError, match=r"--password: .*pip install 'svi-harness\[ui\]'"):
        serve(resolve_uri(None, tmp_path), tmp_path, 5000, print, password=True)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("flask_wtf") is None, reason="the extra `ui` is not installed")
def test_pages_with_a_password_open_with_it_alone(tmp_path: Path) -> None:
    shutil.copy(database(), tmp_path / "mlflow.db")
    command = [sys.executable, "-c", SERVE, str(tmp_path), "5000", "closed"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        address = process.stdout.readline().split()[1].rstrip(";")
        name, password = process.stdout.readline().strip().rpartition(": ")[2].split(" and ")
        assert name == "harness"
        for page in ("/", "/api/2.0/mlflow/experiments/search?max_results=1", "/get-artifact?run_uuid=1&path=a"):
            for headers in ({}, Login("another").headers):
                with pytest.raises(urllib.error.HTTPError, match="401"):
                    urllib.request.urlopen(urllib.request.Request(address + page, headers=headers), timeout=60)
        opened = urllib.request.Request(f"{address}/", headers=Login(password).headers)
        with urllib.request.urlopen(opened, timeout=60) as answer:
            assert answer.status == 200
        shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
        assert password not in shown
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
