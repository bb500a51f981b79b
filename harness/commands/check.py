"""`harness check`: is everything in a store as it was written?"""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from harness.commands.options import OPENED_STORE
from harness.core.atomic import write_json
from harness.core.checksums import FILES, Fault, checksums
from harness.core.errors import UseError
from harness.core.store import ARTIFACTS, LOG, MANIFEST, Store, read_manifest, stage_name
from harness.core.text import counted
from harness.results.reports import REPORTS
from harness.results.runs import runs

FOUND = 1  # exit code


@click.command()
@OPENED_STORE
@click.option("--repair", is_flag=True, help="set damaged results aside: the command that made them makes them again")
@click.option("--add", is_flag=True, help="note the checksums of results that have none, as they are now")
def check(store: Store, repair: bool, add: bool) -> None:
    """Read every finished result and hold it against its checksums; exit code 1 where something is damaged."""
    found = Looked()
    stages = list(_finished(store))
    with click.progressbar(stages, label="stages", file=sys.stderr) as bar:
        for kind, signature in bar:
            found = found.and_(store, kind, signature, add)
    for kind, signature, faults in found.damaged:
        for fault in faults:
            click.echo(f"{store.artifact(kind, signature) / fault.file} {fault.what}")
        if repair:
            click.echo(set_aside(store, kind, signature, faults))
    records = list(_records(store))
    for line in records:
        click.echo(line)
    click.echo(found.summary(add))
    if (found.damaged and not repair) or records:
        if found.damaged:
            click.echo("`harness check --repair` sets these stages aside, and the same command makes them alone again")
        sys.exit(FOUND)


class Looked(NamedTuple):
    """What was found so far: whole results, those without checksums, and those that are damaged."""

    whole: int = 0
    unknown: int = 0
    damaged: tuple[tuple[str, str, Sequence[Fault]], ...] = ()

    def and_(self, store: Store, kind: str, signature: str, add: bool) -> "Looked":
        """After one more stage."""
        faults = store.faults(kind, signature, whole=True)
        if faults:
            return self._replace(damaged=(*self.damaged, (kind, signature, faults)))
        if faults is not None:
            return self._replace(whole=self.whole + 1)
        if add:
            _add(store.artifact(kind, signature))
        return self._replace(unknown=self.unknown + 1)

    def summary(self, add: bool) -> str:
        """One line."""
        parts = [f"{counted(self.whole, 'stage is as it was', 'stages are as they were')} written"]
        if self.unknown:
            added = "noted now" if add else "--add notes how things are now"
            parts.append(f"{counted(self.unknown, 'is', 'are')} not checksummed ({added})")
        return ", ".join([*parts, f"{counted(len(self.damaged), 'is', 'are')} damaged"])


def set_aside(store: Store, kind: str, signature: str, faults: Sequence[Fault]) -> str:
    """Move a damaged result away, and say where it is."""
    with store.lock(kind, signature):
        aside = store.set_aside(kind, signature)
    return f"{stage_name(kind, signature)}: {faults[0].file} {faults[0].what}; set aside in {aside}"


def _finished(store: Store) -> Iterator[tuple[str, str]]:
    for manifest in sorted((store.root / ARTIFACTS).glob(f"*/*/{MANIFEST}")):
        yield manifest.parent.parent.name, manifest.parent.name


def _add(folder: Path) -> None:
    write_json(folder / MANIFEST, {**read_manifest(folder), FILES: checksums(folder, (MANIFEST, LOG))})


def _records(store: Store) -> Iterator[str]:
    """What is wrong beside the results."""
    try:
        runs(store.root)
    except UseError as error:
        yield str(error)
    for link in sorted((store.root / REPORTS).glob("*")):
        if not link.exists():
            yield f"{link} leads nowhere: the report of that run is gone; `harness run` writes it again"
