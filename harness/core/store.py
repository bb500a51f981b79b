"""Where results are kept: an artifact is a folder that appears whole, under its signature, or not at all."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

from harness.core.atomic import write_json
from harness.core.errors import UseError

HARNESS_STORE = "HARNESS_STORE"  # environment variable: the store of commands that are given none
FORMAT = 1
MANIFEST = "manifest.json"
SIGNATURE_DIGITS = 16  # of an artifact's folder; its manifest holds all of them
ABOUT = "store.json"  # in the root of every store
# What a stage under way leaves beside its results; gone once it is committed.
LABEL, PROGRESS, ELAPSED, ERROR = "label.json", "progress.json", "elapsed.json", "error.json"


class Store:
    """Artifacts in `<root>/artifacts/<kind>/<signature>/`, stages under way in `<root>/partial/<kind>-<signature>/`.

    Folder names hold the first hex digits of the signature.
    """

    def __init__(self, root: Path) -> None:
        """Open the store, or make it. Raises UseError when the root is no writable folder or holds another format."""
        self.root = root.absolute()
        self.fingerprints = self.root / "fingerprints.json"
        """Hashes of files by path, size and time of change; losing it is safe."""
        about = self.root / ABOUT
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not about.exists():
                write_json(about, {"format": FORMAT})
            found = json.loads(about.read_text())
        except OSError as error:
            raise UseError(f"cannot keep results in {root} ({error.strerror}); choose a writable folder") from error
        except ValueError as error:
            raise UseError(f"{about} is no readable JSON ({error}); restore it, or choose another folder") from error
        version = found.get("format") if isinstance(found, dict) else found
        if version != FORMAT:
            raise UseError(
                f"the results in {root} have format {version}, this version reads format {FORMAT}; "
                "use the version that made them, or choose another folder"
            )

    def artifact(self, kind: str, signature: str) -> Path:
        """Where the finished artifact is, or will be."""
        return self.root / "artifacts" / kind / signature[:SIGNATURE_DIGITS]

    def partial(self, kind: str, signature: str) -> Path:
        """Where the stage works until it is finished."""
        return self.root / "partial" / stage_name(kind, signature)

    def done(self, kind: str, signature: str) -> bool:
        """Whether the artifact is finished: its manifest exists."""
        return (self.artifact(kind, signature) / MANIFEST).is_file()

    def find(self, signature: str) -> Path:
        """The finished artifact of any kind with this signature. Raises UseError when there is none."""
        for manifest in (self.root / "artifacts").glob(f"*/{signature[:SIGNATURE_DIGITS]}/{MANIFEST}"):
            return manifest.parent
        raise UseError(
            f"no finished artifact {signature[:SIGNATURE_DIGITS]} in {self.root}; run the experiment again to make it"
        )

    def lock(self, kind: str, signature: str) -> FileLock:
        """The lock that a process holds while it runs the stage; the system frees it when the process dies."""
        folder = self.root / "locks"
        folder.mkdir(exist_ok=True)
        return FileLock(folder / f"{stage_name(kind, signature)}.lock")

    def begin(self, kind: str, signature: str) -> Path:
        """The partial folder, made or taken over from an earlier attempt; to be called under the lock.

        Raises UseError when a folder without a manifest stands where the artifact will go.
        """
        final = self.artifact(kind, signature)
        if final.exists():
            raise UseError(f"{final} has no {MANIFEST}, so it is not finished, yet it is in the way; move it elsewhere")
        folder = self.partial(kind, signature)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ERROR).unlink(missing_ok=True)
        return folder

    def commit(self, kind: str, signature: str, manifest: Mapping[str, Any]) -> None:
        """Finish the artifact: the manifest is written last, then the partial folder is renamed into place."""
        folder, final = self.partial(kind, signature), self.artifact(kind, signature)
        for name in (LABEL, PROGRESS, ELAPSED, ERROR):
            for left in (folder / name, *folder.glob(f".{name}.*")):  # the latter where a writer was killed
                left.unlink(missing_ok=True)
        write_json(folder / MANIFEST, manifest)
        final.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(final)

    def manifest(self, kind: str, signature: str) -> dict[str, Any]:
        """The manifest of a finished artifact."""
        return _read(self.artifact(kind, signature) / MANIFEST)

    def manifests(self, kind: str) -> Iterator[dict[str, Any]]:
        """The manifests of all finished artifacts of a kind, in no order."""
        for path in (self.root / "artifacts" / kind).glob(f"*/{MANIFEST}"):
            yield _read(path)

    def note(self, kind: str, signature: str, name: str) -> dict[str, Any] | None:
        """One of the notes above of a stage under way; None when there is none."""
        try:
            return _read(self.partial(kind, signature) / name)
        except FileNotFoundError:
            return None


def stage_name(kind: str, signature: str) -> str:
    """What a stage is called in folder names, and by `harness status` and `harness cancel`: its kind and first digits."""
    return f"{kind}-{signature[:SIGNATURE_DIGITS]}"


def default_store() -> Path:
    """Where results are kept unless something else is said: HARNESS_STORE, else ./runs."""
    return Path(os.environ.get(HARNESS_STORE) or "runs").expanduser()


def is_store(root: Path) -> bool:
    """Whether there is a store in that folder."""
    return (root / ABOUT).is_file()


def _read(path: Path) -> dict[str, Any]:
    try:
        value: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise UseError(f"{path} is damaged ({error}); move its folder away and run again") from error
    return value
