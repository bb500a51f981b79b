"""`harness results`: what every experiment answered, beside what is published of its question, on one page."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from harness.commands.options import JOBS, PROFILE, STORE, names_of, opened, verbosity_options
from harness.commands.printing import print_markdown
from harness.commands.run import run_experiment
from harness.commands.session import Session
from harness.core.atomic import write_text
from harness.core.errors import UseError
from harness.core.store import Store
from harness.declare.profiles import DEFAULT
from harness.declare.request import Request
from harness.declare.run_name import run_name
from harness.declare.spec import Experiment, load_experiment, parse_seeds
from harness.experiments import EXPERIMENTS
from harness.results.reports import finished_reports

SEEDS = range(3)  # that a page asks for where nothing was run yet


@click.command()
@click.argument("names", metavar="[EXPERIMENT]...", nargs=-1, shell_complete=names_of("experiments"))
@click.option("--run", "carried_out", is_flag=True, help="first run what is missing, one experiment after another")
@click.option("--seeds", default=None, help="with --run: how many (3 means 0, 1, 2) or a list such as 0,5,7")
@PROFILE
@click.option("--write", type=click.Path(dir_okay=False, path_type=Path), help="the file to write, such as results.md")
@STORE
@JOBS
@verbosity_options
def results(
    names: tuple[str, ...],
    carried_out: bool,
    seeds: str | None,
    profile: str,
    write: Path | None,
    store: Path,
    jobs: int,
    verbosity: int,
) -> None:
    """What experiments answered, on one page: each question with its answer, what is published of it, and what it cost.

    Of experiments by name or FILE.py:NAME, as far as the store has their runs; of all that are built in, unless some are named.

    \b
    Examples:
      harness results
      harness results --run --seeds 3 --write results.md
      harness results bank_size my_ablation.py:my_ablation
    """
    if seeds is not None and not carried_out:
        raise UseError(f"--seeds {seeds} goes with --run; without it the page has the seeds that were run")
    if write is not None and not write.absolute().parent.is_dir():
        raise UseError(f"--write {write}: no folder {write.parent}; make it, or choose another")
    asked = list(dict.fromkeys(names)) or EXPERIMENTS.names()
    code = 0
    if carried_out:
        if seeds is not None:
            _check_seeds(asked, parse_seeds(seeds))
        sessions = [Session.open(name, (), profile, (), seeds, None, store, jobs) for name in asked]
        code = max(run_experiment(session, "local", verbosity) for session in sessions)
    page = results_page(opened(store), asked, profile, ["harness", "results", *names])
    if write is None:
        print_markdown(page)
    else:
        write_text(write, page + "\n")
        click.echo(f"written to {write}")
    sys.exit(code)


def results_page(store: Store, references: Sequence[str], profile: str, words: Sequence[str]) -> str:
    """The page of what the store has of these experiments, in the runs that are called as they are; `words` asked for it.

    Raises UseError.
    """
    from harness.results.findings import Finding, page

    finished, findings, missing = finished_reports(store.root), [], list[Experiment]()
    for reference in references:
        experiment = load_experiment(reference, EXPERIMENTS)
        run = run_name(Request(experiment, reference, profile), experiment.tracks, experiment.seeds)
        try:
            found = Finding.of(store, experiment, run) if run in finished else None
        except UseError as error:  # one report of an older version does not cost the page
            click.echo(f"left out: {error}", err=True)
            found = None
        if found is None:
            missing.append(experiment)
        else:
            findings.append(found)
    run_with = {seed for one in findings for seed in one.job.settings["seeds"]} or set(SEEDS)
    declared = {seed for experiment in missing for seed in experiment.seeds}
    scale = ["--profile", profile] if profile != DEFAULT else []
    seeds = ["--seeds", _spelt(sorted(run_with | declared))]
    return page(findings, missing, shlex.join([*words, *scale, "--run", *seeds]))


def _check_seeds(references: Sequence[str], seeds: Sequence[int]) -> None:
    """Raises UseError for seeds without all that an experiment declares: such a run has another name, and no place on the page."""
    for reference in references:
        experiment = load_experiment(reference, EXPERIMENTS)
        if lacking := sorted({*experiment.seeds} - {*seeds}):
            raise UseError(
                f"--seeds {_spelt(seeds)}: {experiment.name} also declares {', '.join(map(str, lacking))}, and the page has "
                f"runs of all seeds that are declared; say --seeds {_spelt(sorted({*experiment.seeds, *seeds}))}"
            )


def _spelt(seeds: Sequence[int]) -> str:
    """As --seeds takes them: how many, if they are the first ones; a comma behind one alone."""
    if [*seeds] == [*range(len(seeds))]:
        return str(len(seeds))
    return ",".join(map(str, seeds)) + ("," if len(seeds) == 1 else "")
