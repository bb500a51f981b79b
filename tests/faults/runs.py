"""python -m tests.faults.runs: whole commands, killed, crowded, with a clock set back, without their servers.

Exit code 0 where every command ended in the undisturbed result.
"""

import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from tests import postgresql
from tests.faults.kills import Kill, Kills
from tests.faults.layer import preload
from tests.faults.part import MEMORY
from tests.faults.reference import Reference
from tests.once import SESSION

CASES = {
    "crowd": "tests.faults.crowd:crowd",
    "clock": "tests.faults.clock:clock",
    "leases": "tests.faults.clock:leases",
    "ranks": "tests.faults.ranks:ranks",
    "mlflow": "tests.faults.servers:mlflow",
    "database": "tests.faults.servers:database",
    "study": "tests.faults.servers:study",
}
NEED_POSTGRESQL = {"database", "study"}


@click.command()
@click.option(
    "--case", "cases", multiple=True, type=click.Choice([*CASES, "kills"]), help="only this one; may be given again"
)
@click.option("--kills", "count", type=click.IntRange(1), default=200, show_default=True, help="random moments")
@click.option("--seed", type=int, default=0, show_default=True, help="of the moments")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="a line of JSON for each kill is added; those there are kept",
)
def main(cases: tuple[str, ...], count: int, seed: int, output: Path | None) -> None:
    """Disturb whole commands, and see whether they end in the undisturbed result."""
    chosen = cases or (*CASES, "kills")
    failed = False
    with tempfile.TemporaryDirectory(prefix="faults-", dir=MEMORY) as folder:
        os.environ[SESSION] = folder
        reference = Reference(Path(folder))
        for name in chosen:
            if name == "kills":
                failed |= not _kills(Kills(reference, seed), seed, count, output)
            elif name in NEED_POSTGRESQL and postgresql.programs() is None:
                click.echo(f"{name:<10} left out: no PostgreSQL here (apt-get install postgresql)")
            else:
                failed |= not _case(name, reference)
    sys.exit(failed)


def _case(name: str, reference: Reference) -> bool:
    """Whether it survived."""
    module, _, function = CASES[name].partition(":")
    case: Callable[[Reference], str | None] = getattr(import_module(module), function)
    begun = time.monotonic()
    try:
        wrong = case(reference)
    except (AssertionError, TimeoutError) as error:
        wrong = str(error)
    click.echo(f"{name:<10} {wrong or 'survived'}  {time.monotonic() - begun:.0f} s")
    return wrong is None


def _kills(kills: Kills, seed: int, count: int, output: Path | None) -> bool:
    """Whether all were survived; tells of each, and how many were, by what was under way."""
    lines = output.read_text().splitlines() if output is not None and output.is_file() else []
    made = [one for one in (Kill(**json.loads(line)) for line in lines) if one.seed == seed and one.number < count]
    for number in sorted(set(range(count)) - {one.number for one in made}):
        made.append(one := kills.one(number))
        click.echo(f"kill {number}, {one.done} stages done before, during {one.during}: {one.wrong or 'survived'}")
        if output is not None:
            with output.open("a") as file:
                file.write(json.dumps(asdict(one)) + "\n")
    tried = Counter(one.during for one in made)
    survived = Counter(one.during for one in made if one.wrong is None)
    for during in sorted(tried):
        click.echo(f"kills during {during:<22} survived {survived[during]:>4} / {tried[during]:>4}")
    click.echo(f"kills, all {'':<24} survived {survived.total():>4} / {tried.total():>4}")
    return survived == tried


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.setdefault("MPLBACKEND", "Agg")
    preload("tests.faults.runs")
    main()
