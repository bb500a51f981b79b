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


@contextmanager
def server(*databases: str) -> Iterator[str]:
    """Start a server with these databases; yields its URL, to which the name of a database is to be added."""
    folder = programs()
    if folder is None:
        raise FileNotFoundError("no initdb here: apt-get install postgresql")
    root = Path(tempfile.mkdtemp(prefix="postgresql-"))
    become = ()
    if os.geteuid() == 0:  # it refuses to run as root
        shutil.chown(root, "postgres", "postgres")
        become = ("setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data, log = root / "data", root / "log"

    def call(name: str, *arguments: str) -> None:
        words = [*become, str(folder / name), *arguments]
        subprocess.run(words, check=True, cwd=root, stdout=subprocess.DEVNULL, timeout=120)

    try:
        call("initdb", f"--pgdata={data}", "--auth=trust", "--username=tests", "--no-sync", "--encoding=UTF8")
        options = f"-h 127.0.0.1 -p {port} -k '' -c fsync=off"
        call("pg_ctl", f"--pgdata={data}", f"--log={log}", f"--options={options}", "--wait", "start")
        try:
            for database in databases:
                call("createdb", "--host=127.0.0.1", f"--port={port}", "--username=tests", database)
            yield f"postgresql+psycopg://tests@127.0.0.1:{port}/"
        finally:
            call("pg_ctl", f"--pgdata={data}", "--mode=immediate", "--wait", "stop")
    finally:
        shutil.rmtree(root, ignore_errors=True)
