"""Where results are kept: an artifact is a folder that appears whole, under its signature, or not at all."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from filelock import FileLock, Timeout

from harness.core.atomic import flush, remove_halves, write_json
from harness.core.checksums import FILES, Fault, checksums, faults, readable
from harness.core.errors import UseError

HARNESS_STORE = "HARNESS_STORE"  # environment variable: the store of commands that are given none
FORMAT = 1
MANIFEST = "manifest.json"
SIGNATURE_DIGITS = 16  # of an artifact's folder; its manifest holds all of them
ABOUT = "store.json"  # in the root of every store
ARTIFACTS, PARTIAL, LOCKS = "artifacts", "partial", "locks"  # folders of a store
DAMAGED = "damaged"  # the same: artifacts that `harness run --repair` has set aside
LOG = "log.txt"  # of a stage, beside its results: what it printed, which is none of them
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
        self.locks = self.root / LOCKS
        about = self.root / ABOUT
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            if not about.exists():
                write_json(about, {"format": FORMAT})
            found = json.loads(about.read_text())
        except OSError as error:
            raise UseError(f"cannot keep results in {root} ({error.strerror}); choose a writable folder") from error
        except (ValueError, RecursionError) as error:
            raise UseError(f"{about} is no readable JSON ({error}); restore it, or choose another folder") from error
        version = found.get("format") if isinstance(found, dict) else found
        if version != FORMAT:
            raise UseError(
                f"the results in {root} have format {version}, this version reads format {FORMAT}; "
                "use the version that made them, or choose another folder"
            )

    def artifact(self, kind: str, signature: str) -> Path:
        """Where the finished artifact is, or will be."""
        return self.root / ARTIFACTS / kind / signature[:SIGNATURE_DIGITS]

    def partial(self, kind: str, signature: str) -> Path:
        """Where the stage works until it is finished."""
        return self.root / PARTIAL / stage_name(kind, signature)

    def done(self, kind: str, signature: str) -> bool:
        """Whether the artifact is finished: its manifest exists."""
        return (self.artifact(kind, signature) / MANIFEST).is_file()

    def find(self, signature: str) -> Path:
        """The finished artifact of any kind with this signature. Raises UseError when there is none, or it is damaged."""
        for manifest in (self.root / ARTIFACTS).glob(f"*/{signature[:SIGNATURE_DIGITS]}/{MANIFEST}"):
            self.verify(manifest.parent.parent.name, signature)
            return manifest.parent
        raise UseError(
            f"no finished artifact {signature[:SIGNATURE_DIGITS]} in {self.root}; run the experiment again to make it"
        )

    def lock(self, kind: str, signature: str) -> FileLock:
        """The lock that a process holds while it runs the stage; the system frees it when the process dies."""
        self.locks.mkdir(exist_ok=True)
        return FileLock(self.locks / f"{stage_name(kind, signature)}.lock")

    def busy(self, kind: str, signature: str) -> bool:
        """Whether a process works on the stage."""
        try:
            with self.lock(kind, signature).acquire(timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # nobody works where nothing can be written
            return False

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
            (folder / name).unlink(missing_ok=True)
        remove_halves(folder)
        sums = checksums(
            folder, (MANIFEST, LOG), durable=True
        )  # a power cut must not leave a manifest without its files
        write_json(folder / MANIFEST, {**manifest, FILES: sums})
        flush(folder)
        final.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(final)
        flush(final.parent)

    def faults(self, kind: str, signature: str, *, whole: bool = False) -> list[Fault] | None:
        """What of a finished artifact is not as it was written; None where nobody has noted how that was.

        `whole`: every file is read; else those alone whose size or time of change is another.
        """
        folder = self.artifact(kind, signature)
        try:
            manifest = read_manifest(folder)
        except UseError:
            return [Fault(MANIFEST, "is no readable JSON")]
        if FILES not in manifest:
            return None
        if not readable(manifest[FILES]):
            return [Fault(MANIFEST, "has no readable checksums")]
        found, now = faults(folder, manifest[FILES], whole=whole)
        if not found and now != manifest[FILES]:  # such as in a copy of the store
            with suppress(OSError):
                write_json(folder / MANIFEST, {**manifest, FILES: now})
        return found

    def verify(self, kind: str, signature: str) -> None:
        """Raises UseError when a finished artifact is not as it was written: size and time of each file are looked at, and its
        content where one of them has changed."""
        if found := self.faults(kind, signature):
            file, what = found[0]
            more = f", and {len(found) - 1} more of its files" if len(found) > 1 else ""
            raise UseError(
                f"{self.artifact(kind, signature) / file} {what}{more}: the result of stage {stage_name(kind, signature)} is "
                "damaged. `harness run ... --repair` sets it aside and makes that stage alone again; "
                "after `harness check --repair` any other command does"
            )

    def set_aside(self, kind: str, signature: str) -> Path:
        """Move a finished artifact out of the way, so that it is made again; returns where it is now."""
        (self.root / DAMAGED).mkdir(exist_ok=True)
        aside = self.root / DAMAGED / f"{stage_name(kind, signature)}-{uuid4().hex[:8]}"
        return self.artifact(kind, signature).rename(aside)

    def manifest(self, kind: str, signature: str) -> dict[str, Any]:
        """The manifest of a finished artifact."""
        return read_manifest(self.artifact(kind, signature))

    def manifests(self, kind: str) -> Iterator[dict[str, Any]]:
        """The manifests of all finished artifacts of a kind, in no order."""
        for path in (self.root / ARTIFACTS / kind).glob(f"*/{MANIFEST}"):
            yield read_manifest(path.parent)

    def note(self, kind: str, signature: str, name: str) -> dict[str, Any] | None:
        """One of the notes above of a stage under way; None when there is none."""
        path = self.partial(kind, signature) / name
        try:
            return _read(path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise UseError(f"{path} is damaged ({error}); remove it and run again") from error


def stage_name(kind: str, signature: str) -> str:
    """What a stage is called in folder names, and by `harness status` and `harness cancel`: its kind and first digits."""
    return f"{kind}-{signature[:SIGNATURE_DIGITS]}"


def split_name(name: str) -> tuple[str, str]:
    """Kind and first digits of the signature, of such a name."""
    kind, _, signature = name.rpartition("-")
    return kind, signature


def read_manifest(folder: Path) -> dict[str, Any]:
    """What a finished artifact says of itself, in its folder. Raises UseError for one that is damaged."""
    try:
        return _read(folder / MANIFEST)
    except ValueError as error:
        raise UseError(
            f"{folder / MANIFEST} is damaged ({error}); `harness check --repair` sets its stage aside, and the same command makes "
            "that stage alone again"
        ) from error


def default_store() -> Path:
    """Where results are kept unless something else is said: HARNESS_STORE, else ./runs."""
    return Path(os.environ.get(HARNESS_STORE) or "runs").expanduser()


def is_store(root: Path) -> bool:
    """Whether there is a store in that folder."""
    return (root / ABOUT).is_file()


def _read(path: Path) -> dict[str, Any]:
    """Raises ValueError for what is no JSON object, and OSError."""
    try:
        value: Any = json.loads(path.read_text())
    except RecursionError as error:
        raise ValueError(str(error)) from error
    if not isinstance(value, dict):
        raise ValueError(f"received a {type(value).__name__}, expected an object")
    return value
