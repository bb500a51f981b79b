"""The MLflow server or database at a tracking URI: is it there, its experiment, its runs."""

import http.client
import logging
import math
import os
import socket
import sqlite3
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harness.core.credentials import hidden, live, shown
from harness.tracking.own import own_artifacts, own_database, settle_in

if TYPE_CHECKING:
    from mlflow import MlflowClient

KEY_TAG = "harness.key"
PROBE_SECONDS = 3.0
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
# MLflow's own defaults wait for minutes on a server that is away. Every command tries again: short waits lose nothing.
ENVIRONMENT = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "8",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    "MLFLOW_HTTP_RESPECT_RETRY_AFTER_HEADER": "false",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}


# How databases, and MLflow, say that another command wrote the same at the same moment.
CONFLICTS = ("uniqueviolation", "unique constraint", "duplicate entry", "deadlock", "already exists")


class ServerAwayError(Exception):
    """The tracking server cannot be reached; the text is the reason."""


def resolve_uri(uri: str | None, store_root: Path) -> str:
    """The tracking URI in full: None is the database inside the store, a relative sqlite path becomes absolute, and what
    was concealed of it is there again."""
    path = own_database(store_root) if uri is None else sqlite_path(uri)
    return live(uri) if uri is not None and path is None else f"sqlite:///{Path(str(path)).absolute()}"


def sqlite_path(uri: str) -> Path | None:
    """The database file behind a sqlite URI, None for any other URI."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def unreachable(uri: str) -> str | None:
    """Why the server at this URI does not answer within a few seconds; None when it does, or needs no network."""
    try:
        parts = urlsplit(shown(uri))
        if parts.scheme in ("http", "https"):
            urllib.request.urlopen(f"{shown(uri).rstrip('/')}/health", timeout=PROBE_SECONDS).close()
        elif parts.hostname and (default := DATABASE_PORTS.get(parts.scheme.partition("+")[0])):
            socket.create_connection((parts.hostname, parts.port or default), PROBE_SECONDS).close()
    except urllib.error.HTTPError as error:
        # Any other status is an answer: an old server without /health, or one that wants a login.
        return f"HTTP {error.code}" if error.code in (502, 503, 504) else None
    except urllib.error.URLError as error:
        # A certificate that only MLflow is told to trust is for MLflow to judge.
        return None if isinstance(error.reason, ssl.SSLError) else str(error.reason)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return str(error) or type(error).__name__
    return None


def refused(uri: str) -> str | None:
    """Why a database that listens does not let us in within a few seconds, without its password; None when it does."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import SQLAlchemyError

    try:
        with closing(create_engine(uri, connect_args={"connect_timeout": math.ceil(PROBE_SECONDS)}).connect()):
            return None
    except (SQLAlchemyError, ImportError, ValueError, TypeError) as error:
        return hidden(" ".join(str(error).partition("(Background")[0].split()), uri)[:300]


class Server:
    """One experiment at one tracking URI. MLflow, which takes seconds, is imported at the first call that needs it."""

    def __init__(self, uri: str, store_root: Path, experiment: str) -> None:
        self.uri = uri
        self._store_root = store_root
        self._experiment = experiment
        self._client: MlflowClient | None = None
        self._experiment_id = ""

    def client(self) -> "MlflowClient":
        """The client, with the experiment found or made. Raises ServerAwayError."""
        if self._client is None:
            if reason := unreachable(self.uri):
                raise ServerAwayError(reason)
            if sqlite_path(self.uri) == own_database(self._store_root):
                settle_in(self._store_root)
            client = new_client(self.uri)
            self._experiment_id = self._find_experiment(client)
            self._client = client
        return self._client

    def is_active(self, run_id: str) -> bool:
        """False when the run has been deleted, or was never on this server."""
        from mlflow.exceptions import MlflowException

        try:
            return bool(self.client().get_run(run_id).info.lifecycle_stage == "active")
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                return False
            raise

    def find_or_make_run(self, tags: Mapping[str, str]) -> str:
        """The id of the active run whose key tag is the one in `tags`, made with these tags when there is none."""
        client = self.client()
        same_key = f"tags.`{KEY_TAG}` = '{tags[KEY_TAG]}'"
        found = client.search_runs(
            [self._experiment_id], same_key, max_results=1, order_by=["attributes.start_time ASC"]
        )
        run = found[0] if found else client.create_run(self._experiment_id, tags=dict(tags))
        return str(run.info.run_id)

    def deleted(self, run_ids: Mapping[str, str]) -> set[str]:
        """Keys of the runs deleted from a sqlite database, told without MLflow; for any other URI the empty set."""
        path = sqlite_path(self.uri)
        if path is None or not run_ids:
            return set()
        if not path.exists():
            return set(run_ids)
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=PROBE_SECONDS)) as database:
                rows = database.execute("select run_uuid from runs where lifecycle_stage = 'active'").fetchall()
        except sqlite3.Error:
            # Locked, or of another version: then each run is checked through MLflow, once something is to be uploaded.
            return set()
        active = set(rows)
        return {key for key, run_id in run_ids.items() if (run_id,) not in active}

    def fault(self, error: Exception) -> str | None:
        """Why the server is to blame for the error, so that trying again may help; None when the upload itself is."""
        if self.uri.startswith(("http://", "https://")):
            return unreachable(self.uri)
        status = getattr(error, "get_http_status_code", None)  # of an MlflowException, also where its import failed
        database = type(error).__module__.startswith("sqlalchemy") or (status is not None and status() >= 500)
        return str(error) if database else None

    def conflict(self, error: Exception) -> bool:
        """Whether another command was a moment faster, so that trying again finds what it made."""
        return any(said in str(error).lower() for said in CONFLICTS)

    def _find_experiment(self, client: "MlflowClient") -> str:
        experiment = client.get_experiment_by_name(self._experiment)
        if experiment is None:
            # A server decides for itself where artifacts go; a bare database would put them under the current folder.
            scheme = urlsplit(self.uri).scheme.partition("+")[0]
            bare_database = scheme == "sqlite" or scheme in DATABASE_PORTS
            artifacts = own_artifacts(self._store_root) / self._experiment
            return str(client.create_experiment(self._experiment, artifacts.as_uri() if bare_database else None))
        if experiment.lifecycle_stage == "deleted":
            client.restore_experiment(experiment.experiment_id)
        return str(experiment.experiment_id)


def new_client(uri: str) -> "MlflowClient":
    """MLflow's client, which takes seconds to import, and is quiet."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    for name in ("mlflow", "alembic", "urllib3.connectionpool"):
        logging.getLogger(name).setLevel(logging.ERROR)
    from mlflow import MlflowClient

    return MlflowClient(uri)
