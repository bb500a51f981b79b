"""`harness gc`: free what nothing in a store needs."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from secrets import token_hex

import click

from harness.commands.options import OPENED_STORE, Number
from harness.core.errors import UseError
from harness.core.store import Store
from harness.core.text import table
from harness.core.use import alone
from harness.results.garbage import Garbage, garbage
from harness.run.slurm.status import job_states
from svi.disk import HALF, size


@click.command()
@OPENED_STORE
@click.option("--delete", is_flag=True, help="free it  [default: say what would be freed]")
@click.option(
    "--days", type=Number(most=36_500), default=7.0, show_default=True, help="leave what has changed since alone"
)
@click.option("--films", is_flag=True, help="single films of `harness generate` and their clips too; OUT.mp4 stays")
def gc(store: Store, delete: bool, days: float, films: bool) -> None:
    """Free what no run, report, sweep or run in MLflow needs; says what that is unless --delete is given."""
    if not delete:
        found = garbage(store, days, films=films)
        _show(found)
        if found:
            click.echo(f"{size(sum(one.bytes for one in found))} can be freed: the same command with --delete")
        return
    with alone(store.locks):
        if queued := [stage for stage, job in job_states(store).items() if job.waits]:
            raise UseError(f"Slurm has jobs of this store ({queued[0]}, ...); try again when they have ended")
        found = garbage(store, days, films=films)
        _show(found)
        for one in found:
            _remove(one.path, store.root)
    click.echo(f"{size(sum(one.bytes for one in found))} freed")


def _remove(path: Path, root: Path) -> None:
    """A folder leaves its place at once: half a result, or half a clip, would stand in the way of a whole one."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path.rename(root / f".{token_hex(8)}{HALF}"))
    else:
        path.unlink(missing_ok=True)


def _show(found: Sequence[Garbage]) -> None:
    if not found:
        click.echo("nothing to free")
        return
    rows = [(one.what, size(one.bytes), one.why) for one in sorted(found, key=lambda one: -one.bytes)]
    click.echo("\n".join(table([("what", "takes", "why"), *rows])))
