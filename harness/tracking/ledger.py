"""What has already been uploaded to one tracking URI, remembered between commands."""

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypedDict

from filelock import FileLock

from harness.core.atomic import write_json

Mark = str | int


class RunEntry(TypedDict):
    """A run as the ledger knows it: its MLflow id, and for each uploaded piece the mark of what was uploaded."""

    run_id: str
    pieces: dict[str, Mark]


class Ledger:
    """Runs by key and the pieces each of them already holds, in `<store>/tracking/<sha of uri>.json`.

    A piece's mark is a digest of its content, or the last training step sent for a file that grows. Commands that run
    at the same time share one ledger: every change is read, made and written under a file lock, and replaces the file
    atomically. A ledger that is lost or behind is safe: runs are found again by tag and pieces are sent again.
    """

    def __init__(self, store_root: Path, uri: str) -> None:
        folder = store_root.absolute() / "tracking"
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{hashlib.sha256(uri.encode()).hexdigest()}.json"
        self.lock = FileLock(self.path.with_suffix(".lock"))
        self._runs = self._read()

    def run_id(self, run: str) -> str | None:
        """The MLflow id of the run with this key, None when it has none yet."""
        entry = self._runs.get(run)
        return entry["run_id"] if entry else None

    def mark(self, run: str, piece: str) -> Mark | None:
        """What the run already holds of this piece, None when nothing."""
        entry = self._runs.get(run)
        return entry["pieces"].get(piece) if entry else None

    def run_ids(self) -> dict[str, str]:
        """MLflow ids of every known run by its key."""
        return {run: entry["run_id"] for run, entry in self._runs.items()}

    def marks_of(self, run_id: str) -> dict[str, Mark] | None:
        """The marks of the run with this MLflow id, None where this store has made no such run."""
        return next((entry["pieces"] for entry in self._runs.values() if entry["run_id"] == run_id), None)

    def refresh(self) -> None:
        """Take over what other commands have written since."""
        self._runs = self._read()

    def add_run(self, run: str, run_id: str) -> None:
        """Remember the run under its key, with no piece uploaded yet."""
        self._change(lambda runs: runs.update({run: RunEntry(run_id=run_id, pieces={})}))

    def set_mark(self, run: str, run_id: str, piece: str, mark: Mark) -> None:
        """Remember that this very run now holds the piece; ignored when the key has moved on to another run."""

        def note(runs: dict[str, RunEntry]) -> None:
            if run in runs and runs[run]["run_id"] == run_id:
                runs[run]["pieces"][piece] = mark

        self._change(note)

    def forget(self, runs: Iterable[str]) -> None:
        """Drop these runs, so that they are made anew."""
        gone = set(runs)
        self._change(lambda known: [known.pop(run, None) for run in gone])

    def _change(self, change: Callable[[dict[str, RunEntry]], object]) -> None:
        with self.lock:
            runs = self._read()
            change(runs)
            self._write(runs)
            self._runs = runs

    def _read(self) -> dict[str, RunEntry]:
        try:
            runs: dict[str, RunEntry] = json.loads(self.path.read_text())["runs"]
        except FileNotFoundError:
            return {}
        except (ValueError, KeyError, TypeError):
            # A file cut short by a power loss costs one more upload, never the experiment.
            return {}
        return runs

    def _write(self, runs: dict[str, RunEntry]) -> None:
        write_json(self.path, {"runs": runs})
