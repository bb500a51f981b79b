"""What of a store nothing needs any more: no run's record, no report, no run in MLflow, no sweep and no scored videos."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.core.artifacts import DESK, MAKING, TAKEN, TAKES
from harness.core.errors import UseError
from harness.core.store import (
    ARTIFACTS,
    DAMAGED,
    LABEL,
    MANIFEST,
    PARTIAL,
    SIGNATURE_DIGITS,
    Store,
    read_manifest,
    split_name,
)
from harness.core.usage import used
from harness.plan.kinds import FILM
from harness.results.reports import REPORTS
from harness.results.runs import RECORDS
from harness.results.scored_videos import RECORDS as SCORED

TRACKING = "tracking"  # the folder of harness/tracking/ledger.py
NAMING = (RECORDS, SCORED, TRACKING, DESK)  # folders of JSON files that name stages
HALF = re.compile(r"\.(.+\.[0-9a-f]{32}|[0-9a-f]{16}\.part)")  # what killed writers leave: core/atomic.py, svi/disk.py
TRIAL = re.compile(r"trial-\d+\b")  # begins the label of a sweep's stage; its study may lie in a database elsewhere
DAY = 24 * 3600.0


@dataclass(frozen=True)
class Garbage:
    """Something that may go: what it is, why nothing needs it, the bytes that it takes."""

    path: Path
    what: str
    why: str
    bytes: int


def garbage(store: Store, days: float, *, films: bool = False, now: float | None = None) -> list[Garbage]:
    """All of it that has been left alone for so many days; `films`: those of `harness generate` and their clips too.

    Raises UseError for a record that cannot be read: what it names would be lost.
    """
    store_now = _Now(store, films)
    before = (time.time() if now is None else now) - days * DAY
    found = [*store_now.artifacts(), *store_now.partials(), *store_now.takes(), *store_now.leftovers()]
    return [Garbage(path, what, why, used(path)) for path, what, why in found if _changed(path) <= before]


class _Now:
    """What a store holds, and what of it is needed."""

    def __init__(self, store: Store, films: bool) -> None:
        self.store, self.films = store, films
        self.there = {path.parent.name: path.parent for path in (store.root / ARTIFACTS).glob(f"*/*/{MANIFEST}")}
        self.manifests = {name: read_manifest(folder) for name, folder in self.there.items()}
        self.begun = {folder: self._begun(folder) for folder in (store.root / PARTIAL).glob("*-*")}
        self.named = set(_named(store.root))
        self.needed = self._needed()

    def artifacts(self) -> Iterator[tuple[Path, str, str]]:
        for name, folder in self.there.items():
            if name not in self.needed and not self.store.busy(folder.parent.name, name):
                label = self.manifests[name].get("label", "")
                yield folder, f"{folder.parent.name} {label}", "no run, report or sweep needs it"
        for folder in (self.store.root / DAMAGED).glob("*"):
            yield folder, folder.name, "set aside as damaged"

    def partials(self) -> Iterator[tuple[Path, str, str]]:
        for folder, about in self.begun.items():
            kind, signature = split_name(folder.name)
            if signature not in self.named and not self._is_kept(about) and not self.store.busy(kind, signature):
                yield folder, f"{kind} {about.get('label', signature)}", "cut short, and no run asks for it"

    def takes(self) -> Iterator[tuple[Path, str, str]]:
        """Clips that no film is made of; none where a film is older than the list of its clips."""
        films = [self.there[name] for name in self.there if self.there[name].parent.name == FILM.name]
        films = [folder for folder in films if not self.films or folder.name in self.needed]
        begun = [folder for folder, about in self.begun.items() if about["kind"] == FILM.name and not self.films]
        # Before its list is written a film makes no clip, so one that was cut short there has none.
        begun = [folder for folder in begun if (folder / TAKEN).exists() or self.store.busy(*split_name(folder.name))]
        desk = [file.parent for file in (self.store.root / DESK).glob(f"*/{MAKING}")]
        lists = [folder / TAKEN for folder in (*films, *begun, *desk)]
        if not all(file.is_file() for file in lists):
            return
        lists += (self.store.root / DESK).glob(f"*/{TAKEN}")  # whatever a director has taken
        kept = {name for file in lists for name in json.loads(file.read_text())}
        for take in (self.store.root / TAKES).glob("[0-9a-f]*"):
            if not any(name.startswith(take.name) for name in kept):
                yield take, f"clip {take.name[:12]}", "no film has it"

    def leftovers(self) -> Iterator[tuple[Path, str, str]]:
        root = self.store.root
        for folder in (root, root / REPORTS, root / TAKES, *(root / name for name in NAMING)):
            for path in folder.glob(".*"):
                if HALF.fullmatch(path.name):
                    yield path, path.name, "a command was killed"

    def _needed(self) -> set[str]:
        """What is named, and all that it stands on."""
        reports = (link.resolve().name for link in (self.store.root / REPORTS).glob("*"))
        own = (name for name, manifest in self.manifests.items() if self._is_kept(manifest))
        begun = (name for about in self.begun.values() if self._is_kept(about) for name in _upstream(about))
        open_, needed = [*self.named, *reports, *own, *begun], set[str]()
        while open_:
            name = open_.pop()
            if name not in needed and name in self.manifests:
                needed.add(name)
                open_ += _upstream(self.manifests[name])
        return needed

    def _begun(self, folder: Path) -> dict[str, Any]:
        """What is known of a stage under way, as a manifest would say it."""
        kind, signature = split_name(folder.name)
        return {**(self.store.note(kind, signature, LABEL) or {}), "kind": kind}

    def _is_kept(self, about: Mapping[str, Any]) -> bool:
        """Whether a stage, finished or not, is needed though nothing names it."""
        film = about.get("kind") == FILM.name and not self.films
        return film or TRIAL.match(str(about.get("label", ""))) is not None


def _upstream(about: Mapping[str, Any]) -> Iterator[str]:
    """The first digits of the signatures of what a stage is made from."""
    for given in about.get("upstream", {}).values():
        yield from (one[:SIGNATURE_DIGITS] for one in ([given] if isinstance(given, str) else given))


def _named(root: Path) -> Iterator[str]:
    """The first digits of every signature that a record names; of any other hash too, which are no stage's."""
    for folder in NAMING:
        for file in (root / folder).rglob("*.json"):
            text = file.read_text(encoding="utf-8")
            try:
                json.loads(text)
            except (ValueError, RecursionError) as error:
                raise UseError(
                    f"{file} is damaged ({error}), so nobody knows which results it names; move it away first"
                ) from error
            yield from (found[:SIGNATURE_DIGITS] for found in re.findall(rf"[0-9a-f]{{{SIGNATURE_DIGITS},64}}", text))


def _changed(path: Path) -> float:
    """When it was last touched, or something at its top was (unix s)."""
    try:
        inner = [one.lstat().st_mtime for one in path.iterdir()] if path.is_dir() and not path.is_symlink() else []
        return max([path.lstat().st_mtime, *inner])
    except FileNotFoundError:  # gone meanwhile
        return time.time()
