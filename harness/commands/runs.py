"""`harness runs`: what was run, by name: list, show, open, remove."""

import shlex
import shutil
from datetime import datetime

import click

from harness.commands.browser import show_in_browser
from harness.commands.options import OPENED_STORE
from harness.core.errors import UseError
from harness.core.store import MANIFEST, SIGNATURE_DIGITS, Store, default_store
from harness.core.text import table
from harness.plan.kinds import REPORT
from harness.results.reports import REPORTS, finished_reports
from harness.results.runs import RunRecord, find_run, forget
from harness.results.runs import runs as runs_of
from reports.artifacts import PAGE

NAME = click.argument("name", metavar="RUN")


class _ListsByDefault(click.Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        bare = not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names)
        listed = bare and not ctx.resilient_parsing  # a shell asks which commands there are
        return super().parse_args(ctx, ["list", *args] if listed else args)


@click.group(cls=_ListsByDefault)
def runs() -> None:
    """The runs of a store by name: list (the default), show, open and remove them."""


@runs.command("list")
@OPENED_STORE
def list_(store: Store) -> None:
    """All runs, the newest first."""
    found = runs_of(store.root)
    if not found:
        click.echo(f"no runs in {store.root}; `harness run ablation_eimg` makes one")
        return
    head = ("run", "profile", "variants", "seeds", "tracks", "begun", "report")
    click.echo("\n".join(table([head, *(_row(record) for record in found)])))


@runs.command()
@NAME
@OPENED_STORE
def show(name: str, store: Store) -> None:
    """What a run was asked for, where its report is, and the command that makes it again."""
    record = find_run(store.root, name)
    about = {
        "run": record.name,
        "experiment": record.experiment,
        "profile": record.profile,
        "recipes": ", ".join(record.recipes) or "the profile's own",
        "overrides": ", ".join(f"{key}={value}" for key, value in record.overrides.items()) or "none",
        "variants": ", ".join(record.variants),
        "tracks": ", ".join(record.tracks),
        "seeds": ", ".join(map(str, record.seeds)),
        "begun": _when(record.begun),
        "finished": _when(record.finished) if record.finished else "not yet; the command below goes on with it",
        "page": str(store.root / REPORTS / name / PAGE) if _has_report(store, name) else "none yet",
        "command": _here(record, store),
    }
    click.echo("\n".join(table(list(about.items()))))


@runs.command("open")
@NAME
@OPENED_STORE
def open_(name: str, store: Store) -> None:
    """Open a run's page in the browser, and print its address."""
    record = find_run(store.root, name)
    if not _has_report(store, name):
        raise UseError(f"the run {name} has no report yet; this goes on with it: {_here(record, store)}")
    address = (store.root / REPORTS / name / PAGE).as_uri()
    click.echo(address)
    show_in_browser(address)


@runs.command()
@NAME
@OPENED_STORE
def remove(name: str, store: Store) -> None:
    """Remove a run: its report, its record, its runs in the store's MLflow.

    Models, films and scores stay, for other runs and for the same command.
    """
    from harness.tracking.removal import remove_run

    record = find_run(store.root, name)
    others = [other for other in runs_of(store.root) if other.name != name]
    (store.root / REPORTS / name).unlink(missing_ok=True)
    if all(other.report != record.report for other in others):
        shutil.rmtree(store.artifact(REPORT.name, record.report), ignore_errors=True)
    mirrored = remove_run(store.root, record.experiment, name)
    forget(store.root, name)
    used = {one[:SIGNATURE_DIGITS] for other in others for one in other.stages}
    mine = {one[:SIGNATURE_DIGITS] for one in record.stages}
    kept = {manifest.parent.name for manifest in (store.root / "artifacts").glob(f"*/*/{MANIFEST}")} & mine
    click.echo(f"removed the run {name}, its report, and {mirrored} runs in MLflow, whose files `mlflow gc` frees")
    click.echo(f"kept: {len(kept)} finished stages (models, films, scores), {len(kept & used)} of which other runs use")


def _row(record: RunRecord) -> tuple[str, ...]:
    counts = (record.profile, str(len(record.variants)), str(len(record.seeds)), ", ".join(record.tracks))
    return record.name, *counts, _when(record.begun), "finished" if record.finished else "not yet"


def _when(moment: str) -> str:
    """In this machine's time zone, to the minute."""
    return datetime.fromisoformat(moment).astimezone().strftime("%Y-%m-%d %H:%M")


def _has_report(store: Store, name: str) -> bool:
    return name in finished_reports(store.root)


def _here(record: RunRecord, store: Store) -> str:
    """The run's command, for its own store."""
    place = "" if store.root.absolute() == default_store().absolute() else f"--store {shlex.quote(str(store.root))} "
    return record.command.replace("harness run ", f"harness run {place}", 1)
