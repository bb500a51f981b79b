"""The database and the artifacts that a store keeps for itself, also after it was moved or copied."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

DATABASE, ARTIFACTS = "mlflow.db", "mlartifacts"
# Where MLflow has written the whole path of a file, or of a folder of them.
PLACES = {"experiments": "artifact_location", "runs": "artifact_uri", "logged_models": "artifact_location"}


def own_database(store_root: Path) -> Path:
    """The database inside the store."""
    return store_root.absolute() / DATABASE


def own_artifacts(store_root: Path) -> Path:
    """The folder of artifacts inside the store."""
    return store_root.absolute() / ARTIFACTS


def settle_in(store_root: Path) -> None:
    """Let the store's own database name the store's own artifacts: MLflow knows them by absolute paths alone, so that a copy
    would be written into the store that it was copied from."""
    database = own_database(store_root)
    if not database.is_file():
        return
    here = own_artifacts(store_root)
    with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
        known = [row[0] for row in connection.execute("select name from sqlite_master where type = 'table'")]
        for before in _elsewhere(connection, here) if "experiments" in known else ():
            for table in PLACES.keys() & set(known):
                column = PLACES[table]
                connection.execute(
                    f"update {table} set {column} = ? || substr({column}, ?) where substr({column}, 1, ?) = ?",
                    (here.as_uri(), len(before) + 1, len(before) + 1, f"{before}/"),
                )


def _elsewhere(connection: sqlite3.Connection, here: Path) -> set[str]:
    """URIs of folders that experiments have their artifacts in, and which are not this one."""
    rows = connection.execute(f"select {PLACES['experiments']} from experiments").fetchall()
    folders = {str(location).rpartition("/")[0] for (location,) in rows}
    return {
        folder
        for folder in folders
        if folder.startswith("file:") and folder.endswith(f"/{ARTIFACTS}") and not _same(_path(folder), here)
    }


def _path(uri: str) -> Path:
    return Path(url2pathname(urlsplit(uri).path))


def _same(one: Path, other: Path) -> bool:
    """Whether they are one folder, perhaps by two paths; one that nobody here may look into is another."""
    return one == other or (os.path.exists(one) and os.path.exists(other) and one.samefile(other))  # noqa: PTH110
