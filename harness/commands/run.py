"""`harness run`: the scheduler, the console and MLflow, brought together around one experiment."""

import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from harness.commands.check import set_aside
from harness.commands.executors import EXECUTOR, SLURM
from harness.commands.options import Whole, verbosity_options
from harness.commands.plan import plan
from harness.commands.printing import print_report
from harness.commands.progress import console_of
from harness.commands.session import Session, experiment_options
from harness.commands.until import AT_MOST, Looks, planned_next, run_until
from harness.core.artifacts import FOOTAGE
from harness.core.errors import UseError
from harness.core.text import duration
from harness.core.use import in_use
from harness.declare.numbers import MOST_FILMS, MOST_SEEDS
from harness.declare.request import FIRST_LOOK
from harness.plan.kinds import DATA, REPORT
from harness.results.reports import finish_run
from harness.results.runs import RunRecord, begin, introduction
from reports.artifacts import PAGE

if TYPE_CHECKING:
    from harness.run.schedule import Outcome


@click.command()
@experiment_options
@EXECUTOR
@click.option("--detach", is_flag=True, help="slurm: submit all stages with their dependencies, and return")
@click.option(
    "--until",
    type=click.Choice(["decided"]),
    default=None,
    help="add seeds, and films with --at-most-films, until every variant ends better or worse than the baseline beyond chance, or "
    "so many are there",
)
@click.option("--at-most-seeds", type=Whole(FIRST_LOOK, MOST_SEEDS), default=None, help="with --until  [default: 5]")
@click.option(
    "--at-most-films",
    type=Whole(most=MOST_FILMS),
    default=None,
    help="with --until: films a track and variant; they are doubled where that shows more than a seed would  [default: none added]",
)
@click.option("--repair", is_flag=True, help="set finished stages aside whose files have changed, and make these again")
@click.option("--dry-run", is_flag=True, help="say what would be done, as `harness plan` does, and do nothing")
@verbosity_options
def run(
    executor: str,
    detach: bool,
    until: str | None,
    at_most_seeds: int | None,
    at_most_films: int | None,
    repair: bool,
    dry_run: bool,
    verbosity: int,
    **options: Any,
) -> None:
    """Train, generate, score and report; what is done already is not done again, what was cut short goes on.

    \b
    Examples:
      harness run ablation_eimg --seeds 3
      harness run ablation_eimg --until decided --at-most-seeds 8 --at-most-films 64
      harness run ablation_eimg --only 'full,no_*' tracks=consistent-250s
      harness run my_ablation.py:my_ablation --executor slurm --detach
    """
    if detach and executor != SLURM:
        raise UseError("--detach goes with --executor slurm: stages on this machine end with the command")
    if detach and until:
        raise UseError("--until looks at each report before it goes on; leave --detach out")
    if at_most_seeds and not until:
        raise UseError(
            f"--at-most-seeds {at_most_seeds} goes with --until decided; for so many seeds say --seeds {at_most_seeds}"
        )
    if at_most_films and not until:
        raise UseError(
            f"--at-most-films {at_most_films} goes with --until decided; for so many films say --limit {at_most_films}"
        )
    looks = Looks.planned(options, at_most_seeds or AT_MOST, at_most_films) if until else None
    if dry_run:
        if looks:
            options = looks.at(look := planned_next(looks))
            click.echo(f"{looks.name(look)}:", err=True)
        click.get_current_context().invoke(plan, **options)
        return
    if looks:
        sys.exit(run_until(looks, lambda one: run_experiment(one, executor, verbosity, repair)))
    session = Session.open(**options)
    if detach:
        mend(session, repair)
        begin(RunRecord.of(session.pipeline), session.store.root)
        sys.exit(session.detach(print))
    sys.exit(run_experiment(session, executor, verbosity, repair))


def mend(session: Session, repair: bool) -> None:
    """Look at the pipeline's finished stages; those that are damaged are set aside with `repair`. Raises UseError without."""
    store = session.store
    for node in session.pipeline.graph:
        if store.done(node.kind, node.signature):
            if repair and (found := store.faults(node.kind, node.signature)):
                click.echo(set_aside(store, node.kind, node.signature, found), err=True)
            else:
                store.verify(node.kind, node.signature)


def run_experiment(session: Session, executor_name: str, verbosity: int, repair: bool = False) -> int:
    """Carry the pipeline out; prints the tables, the answer and where the page is. Returns the exit code."""
    with in_use(session.store.locks):  # from before the plan counts on what is there until the run's record names it
        mend(session, repair)
        return _run_experiment(session, executor_name, verbosity)


def _run_experiment(session: Session, executor_name: str, verbosity: int) -> int:
    from harness.publish.publisher import Publisher
    from harness.run import schedule
    from harness.tracking import Tracker, resolve_uri

    console = console_of(session.pipeline.graph, session.store, session.jobs, session.embedded, verbosity)
    record = RunRecord.of(session.pipeline)
    executor = session.executor(executor_name, console.say)
    uri = resolve_uri(session.pipeline.children[0].resolved.settings.tracking.uri, session.store.root)
    with Tracker(uri, session.store.root, session.pipeline.request.experiment.name, console.say) as tracker, console:
        publisher = Publisher(session.pipeline, session.store, tracker)

        def tick(running: list[schedule.Running]) -> None:
            console.tick(running)
            publisher.update()

        for note in session.pipeline.notes:
            console.say(note)
        begin(record, session.store.root)
        if (said := introduction(session.pipeline.request, session.store.root)) is not None:
            console.say(said)
        with executor:
            outcome = schedule.run(session.pipeline.graph, session.store, executor, console.event, tick)
        publisher.finish()
        for note in _said_of_videos(session):
            console.say(note)
    return _conclude(session, outcome, record, console.seconds)


def _said_of_videos(session: Session) -> Iterator[str]:
    """What the latent caches could not use of data.path, and how they used the rest."""
    for node in session.pipeline.graph:
        if node.kind == DATA.name and session.store.done(node.kind, node.signature):
            about = json.loads((session.store.artifact(node.kind, node.signature) / FOOTAGE).read_text())
            if about["skipped"]:
                yield f"data.path: {len(about['skipped'])} videos skipped"
            yield from (f"  {name}: {why}" for name, why in about["skipped"])
            yield from (f"data.path: {note}" for note in about.get("notes", ()))


def _conclude(session: Session, outcome: "Outcome", record: RunRecord, seconds: float) -> int:
    """The exit code; prints the report's tables and answer, the time, and last where the page is. Raises UseError."""
    from harness.run.schedule import EXIT_FAILED

    session.raise_use_errors(outcome)
    if not session.store.done(REPORT.name, session.pipeline.report):
        failed = f"{len(outcome.failed)} stages failed after {duration(seconds)}"
        print(f"\n{failed}; the same command tries them again and keeps all that is done.", file=sys.stderr)
        return EXIT_FAILED
    page = finish_run(session.store, record) / PAGE
    print_report(session.store.artifact(REPORT.name, session.pipeline.report))
    print(f"\ntook {duration(seconds)}; MLflow: harness ui {record.name} --store {session.store.root}", file=sys.stderr)
    print(f"page: {page.as_uri()}", file=sys.stderr)
    return 0
