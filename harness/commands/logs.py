"""`harness logs`: what a stage has printed, whatever became of it."""

import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import click

from harness.commands.options import OPENED_STORE
from harness.core.errors import UseError
from harness.core.store import (
    ARTIFACTS,
    ERROR,
    LABEL,
    LOG,
    MANIFEST,
    PARTIAL,
    Store,
    read_manifest,
    split_name,
    stage_name,
)
from harness.core.text import table

LISTED = 12  # stages that a word may mean
EVERY = 0.5  # seconds between looks


@click.command()
@click.argument("name", metavar="STAGE", required=False)
@OPENED_STORE
@click.option("-f", "--follow", is_flag=True, help="go on until the stage ends")
def logs(name: str | None, store: Store, follow: bool) -> None:
    """What a stage printed: under way, failed or done. STAGE: its name or signature, or words of its label.

    \b
    Examples:
      harness logs                       all stages, the newest last
      harness logs 'train full, seed 0'
      harness logs train-0b68f0d6c1 -f
    """
    known = sorted(_stages(store), key=lambda stage: stage.when)
    if name is None:
        rows = [(stage.name, stage.label, stage.state) for stage in known]
        click.echo("\n".join(table([("stage", "for", "state"), *rows])) if rows else f"no stages in {store.root}")
        return
    _print(_one(name, known), store, follow)


class Stage(NamedTuple):
    """A stage of the store, and where it is now: `when` it last changed (unix s)."""

    kind: str
    signature: str
    label: str
    state: str
    when: float

    @property
    def name(self) -> str:
        return stage_name(self.kind, self.signature)

    def folder(self, store: Store) -> Path:
        """Where its log is, also after it has been finished meanwhile."""
        made = store.artifact(self.kind, self.signature)
        return made if store.done(self.kind, self.signature) else store.partial(self.kind, self.signature)


def _stages(store: Store) -> Iterator[Stage]:
    for manifest in (store.root / ARTIFACTS).glob(f"*/*/{MANIFEST}"):
        about = read_manifest(manifest.parent)
        kind, signature = manifest.parent.parent.name, manifest.parent.name
        yield Stage(kind, signature, str(about.get("label", "")), "done", manifest.stat().st_mtime)
    for folder in (store.root / PARTIAL).glob("*-*"):
        kind, signature = split_name(folder.name)
        label = (store.note(kind, signature, LABEL) or {}).get("label", "")
        failed = store.note(kind, signature, ERROR) is not None
        state = "running" if store.busy(kind, signature) else "failed" if failed else "cut short"
        with suppress(FileNotFoundError):  # finished since it was listed
            yield Stage(kind, signature, label, state, folder.stat().st_mtime)


def _one(name: str, known: list[Stage]) -> Stage:
    """The stage that is meant. Raises UseError for none, or several."""
    wanted = name.lower()
    exact = [stage for stage in known if wanted in (stage.name, stage.signature, f"{stage.kind} {stage.label}".lower())]
    alike = [
        stage
        for stage in known
        if stage.name.startswith(wanted)
        or stage.signature.startswith(wanted[:16])
        or wanted in f"{stage.kind} {stage.label}".lower()
    ]
    found = exact or alike
    if len(found) == 1:
        return found[0]
    if not found:
        raise UseError(f"no stage is called {name!r}; `harness logs` lists all of them")
    names = [f"{stage.name} ({stage.label}, {stage.state})" for stage in found]
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    raise UseError(f"{name!r} may be {len(found)} stages; give the name of one: {', '.join(names[:LISTED])}{more}")


def _print(stage: Stage, store: Store, follow: bool) -> None:
    at, out = 0, sys.stdout
    while True:
        runs = follow and store.busy(stage.kind, stage.signature)  # before the look: nothing said last is missed
        file = stage.folder(store) / LOG
        if file.is_file():
            with file.open("rb") as log:
                log.seek(at)
                said = log.read()
            at += len(said)
            out.write(said.decode(errors="replace"))
            out.flush()
        if not runs:
            break
        time.sleep(EVERY)
    if not at:
        click.echo(f"{stage.name} ({stage.label}, {stage.state}) has printed nothing", err=True)
    if error := store.note(stage.kind, stage.signature, ERROR):
        click.echo(error["traceback"], err=True)
