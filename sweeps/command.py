"""`harness sweep`: a command of the harness, which knows it by name alone (harness/cli.py)."""

import sys
from pathlib import Path
from typing import Any

import click

from harness.commands.options import JOBS, PROFILE, STORE, names_of, overrides_argument


@click.command()
@click.argument("name", metavar="SWEEP", shell_complete=names_of("sweeps"))
@overrides_argument()
@click.option(
    "--trials",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="finished trials the study shall have, over all workers",
)
@click.option(
    "--sampler", default="tpe", show_default=True, help="any of Optuna's: tpe, random, qmc, cmaes, nsgaii, gp ..."
)
@click.option(
    "--pruner",
    type=click.Choice(["forecast", "none"]),
    default=None,
    show_default="forecast where it speaks of the first objective",
    help="forecast: films only for trials whose drift forecast is among the best quarter so far, half for several objectives",
)
@click.option(
    "--storage",
    default=None,
    metavar="journal:PATH|URL",
    help="where the study lies; several workers need a journal or PostgreSQL  [default: sqlite in the store]",
)
@PROFILE
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="of every training and, with its worker's first trial added, of the sampler",
)
@STORE
@JOBS
def sweep(name: str, trials: int, store: Path, jobs: int, **asked: Any) -> None:
    """Search settings with Optuna; every trial is a variant, cached and resumed like any other.

    SWEEP is a name of `harness list`, or my_sweep.py:NAME. The same command, given again or elsewhere with the same --storage, goes
    on with the same study (docs/sweeps.md).
    """
    from sweeps.search import search
    from sweeps.study import SweepRequest, SweepStudy
    from sweeps.sweep import load_sweep

    study = SweepStudy(*load_sweep(name), SweepRequest(**asked), store)
    sys.exit(search(study, jobs, trials, click.echo))
