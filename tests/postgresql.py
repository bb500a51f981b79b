"""A real PostgreSQL server with all its state in one folder, on this machine only."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.debian import programs_at


def programs() -> Path | None:
    """Folder of initdb and pg_ctl, which Debian keeps off PATH; None if they are not installed."""
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb", path=programs_at(versions))
    return Path(found).resolve().parent if found else None


class Server:
    """It listens; `url` is where, to which the name of a database is to be added."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root, self._folder = root, folder
        self._become: tuple[str, ...] = ()
        if os.geteuid() == 0:  # it refuses to run as root
            shutil.chown(root, "postgres", "postgres")
            self._become = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"postgresql+psycopg://tests@127.0.0.1:{self._port}/"
        self._call(
            "initdb", f"--pgdata={root / 'data'}", "--auth=trust", "--username=tests", "--no-sync", "--encoding=UTF8"
        )
        self.start()

    def start(self) -> None:
        options = f"-h 127.0.0.1 -p {self._port} -k '' -c fsync=off"
        log = f"--log={self._root / 'log'}"
        self._call("pg_ctl", f"--pgdata={self._root / 'data'}", log, f"--options={options}", "--wait", "start")

    def stop(self) -> None:
        """As by a crash: connections are cut."""
        self._call("pg_ctl", f"--pgdata={self._root / 'data'}", "--mode=immediate", "--wait", "stop")

    def make(self, database: str) -> None:
        self._call("createdb", "--host=127.0.0.1", f"--port={self._port}", "--username=tests", database)

    def _call(self, name: str, *arguments: str) -> None:
        words = [*self._become, str(self._folder / name), *arguments]
        # Without the layer of tests/faults, which its user may not read.
        plain = {key: value for key, value in os.environ.items() if key != "LD_PRELOAD"}
        subprocess.run(words, check=True, cwd=self._root, env=plain, stdout=subprocess.DEVNULL, timeout=120)


@contextmanager
def running(*databases: str) -> Iterator[Server]:
    """Start a server with these databases, which may be stopped and started meanwhile."""
    folder = programs()
    if folder is None:
        raise FileNotFoundError("no initdb here: apt-get install postgresql")
    root = Path(tempfile.mkdtemp(prefix="postgresql-"))
    try:
        found = Server(root, folder)
        try:
            for database in databases:
                found.make(database)
            yield found
        finally:
            found.stop()
    finally:
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def server(*databases: str) -> Iterator[str]:
    """The same; yields its URL, to which the name of a database is to be added."""
    with running(*databases) as found:
        yield found.url
