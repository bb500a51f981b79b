"""Tracking into a real PostgreSQL: straight into the database, and through an MLflow server in front of it."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgresql
from tests.harness.tracking.mirrored import ROOT, check_complete, filled, free_port, in_process, serving

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("postgresql"),  # one server, whose tables take a while
    pytest.mark.skipif(postgresql.programs() is None, reason="no PostgreSQL here: apt-get install postgresql"),
]
MIRROR = """
import sys
from pathlib import Path
from tests.harness.tracking.mirrored import mirror
said = []
print(mirror(Path(sys.argv[1]), sys.argv[2], said), said)
"""


@pytest.fixture(scope="module")
def databases() -> Iterator[str]:
    """Where the databases are: straight, shared, served. MLflow's tables are made once: its migrations take seconds."""
    import psycopg

    with postgresql.server("prepared") as url:
        subprocess.run([sys.executable, "-m", "mlflow", "db", "upgrade", f"{url}prepared"], check=True, timeout=300)
        with psycopg.connect(f"{url.replace('+psycopg', '')}postgres", autocommit=True) as connection:
            for name in ("straight", "shared", "served"):
                connection.execute(f"create database {name} template prepared")
        yield url


def at_once(uri: str, *stores: Path) -> list[str]:
    """A whole command for each store, all started together, each in a folder of its own; what they print."""
    runs = []
    for number, store in enumerate(stores):
        here = store.parent / f"here-{number}"
        here.mkdir()
        command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}){MIRROR}", str(store), uri]
        runs.append(subprocess.Popen(command, cwd=here, stdout=subprocess.PIPE, text=True))
    printed = [run.communicate(timeout=400)[0] for run in runs]
    for number, store in enumerate(stores):
        assert list((store.parent / f"here-{number}").iterdir()) == []  # no ./mlruns, no ./mlartifacts
    return printed


def test_two_commands_of_one_store_upload_everything_once(databases: str, tmp_path: Path) -> None:
    uri, store = f"{databases}straight", filled(tmp_path / "store")
    assert at_once(uri, store, store) == ["0 []\n", "0 []\n"]
    check_complete(uri)
    found = {path.name for path in (store / "mlartifacts" / "ablation_test").rglob("*") if path.is_file()}
    assert found == {"config.json", "report.html", "metrics.jsonl", "MLmodel", "README.md", "adapter_config.json"}
    again = in_process(
        "said = []; print(mirror(Path(sys.argv[1]), sys.argv[2], said), said, 'mlflow' in sys.modules)", store, uri
    )
    assert again.stdout == "0 [] False\n", again.stderr


def test_two_machines_share_a_database(databases: str, tmp_path: Path) -> None:
    """Stores of their own: nothing but the database to agree by, so both may try to make the same experiment."""
    from mlflow import MlflowClient

    uri = f"{databases}shared"
    assert at_once(uri, filled(tmp_path / "one"), filled(tmp_path / "two")) == ["0 []\n", "0 []\n"]
    client = MlflowClient(uri)
    (experiment,) = client.search_experiments(filter_string="name = 'ablation_test'")
    names = {run.info.run_name for run in client.search_runs([experiment.experiment_id])}
    assert names == {"base · seed 0", "full · seed 0", "test · tiny"}


def test_a_server_in_front_keeps_the_artifacts(databases: str, tmp_path: Path) -> None:
    store = filled(tmp_path / "store")
    with serving(f"{databases}served", tmp_path / "served", free_port()) as uri:
        assert at_once(uri, store, store) == ["0 []\n", "0 []\n"]
        check_complete(uri)
    assert not (store / "mlartifacts").exists()
    assert {path.name for path in (tmp_path / "served").rglob("*.md")} == {"README.md"}
