"""`harness sweep`: a command of the harness, which knows it by name alone (harness/cli.py)."""

import sys
from pathlib import Path
from typing import Any

import click

from harness.commands.executors import EXECUTOR
from harness.commands.options import JOBS, PROFILE, STORE, Whole, names_of, overrides_argument
from harness.declare.numbers import LARGEST_SEED

MOST_TRIALS = 100_000


@click.command()
@click.argument("name", metavar="SWEEP", shell_complete=names_of("sweeps"))
@overrides_argument()
@click.option(
    "--trials",
    type=Whole(most=MOST_TRIALS),
    default=10,
    show_default=True,
    help="finished trials the study shall have, over all workers",
)
@click.option(
    "--sampler", default="tpe", show_default=True, help="any of Optuna's: tpe, random, qmc, cmaes, nsgaii, gp ..."
)
@click.option(
    "--pruner",
    type=click.Choice(["forecast", "halving", "none"]),
    default=None,
    show_default="forecast where it speaks of the first objective",
    help="forecast: films only for trials whose drift forecast is among the best quarter so far, half for several objectives; "
    "halving: a whole training only for those that were among the best at an eighth and a quarter of its steps",
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
    type=Whole(0, LARGEST_SEED),
    default=100,
    show_default=True,
    help="of every training and, with its worker's first trial added, of the sampler",
)
@EXECUTOR
@STORE
@JOBS
def sweep(name: str, trials: int, executor: str, store: Path, jobs: int, **asked: Any) -> None:
    """Search settings with Optuna; every trial is a variant, cached and resumed like any other.

    SWEEP is a name of `harness list`, or my_sweep.py:NAME. The same command, given again or elsewhere with the same --storage, goes
    on with the same study (docs/sweeps.md).
    """
    from sweeps.search import search
    from sweeps.storage import in_reach
    from sweeps.study import SweepRequest, SweepStudy
    from sweeps.sweep import load_sweep

    with in_reach(asked["storage"]):
        study = SweepStudy(*load_sweep(name), SweepRequest(**asked), store)
        sys.exit(search(study, jobs, trials, click.echo, executor))
