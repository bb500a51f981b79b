"""python -m tests.faults: interfere with every part that keeps results, at every change of a file.

Exit code 0 where every result was the undisturbed one.
"""

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

import click

from tests.faults.layer import Fault, preload
from tests.faults.part import Part

QUICK = 1  # points of a part and fault
SHOWN = 3  # of what went wrong in a part


def parts(stages: bool) -> Iterator[Part]:
    """All of them; what each needs is imported when its turn comes: a fork of a small process is quick."""
    for name in ("store", "films", "bank", "cache"):
        yield from import_module(f"tests.faults.{name}").PARTS
    if stages:
        from tests.faults.stages import stage_parts

        with stage_parts() as found:
            yield from found


@click.command()
@click.option("--part", "wanted", multiple=True, help="only this one; may be given again")
@click.option("--fault", "faults", multiple=True, type=click.Choice([one.name.lower() for one in Fault if one]))
@click.option("--most", type=click.IntRange(1), help="points of each part and fault, at most, spread over all of them")
@click.option("--seconds", type=float, default=float("inf"), help="for each part, at most")
@click.option("--quick", is_flag=True, help="one point of every part and fault")
@click.option("--stages", is_flag=True, help="whole stages of a small run too")
@click.option("--output", type=click.Path(path_type=Path), help="a line of JSON for each part and fault is added there")
def main(
    wanted: tuple[str, ...],
    faults: tuple[str, ...],
    most: int | None,
    seconds: float,
    quick: bool,
    stages: bool,
    output: Path | None,
) -> None:
    """Stop each part at each change of a file, and see whether the same call ends in the undisturbed result."""
    from tests.faults.trial import tried

    chosen = [Fault[name.upper()] for name in faults] or [one for one in Fault if one]
    wrong = 0
    for part in parts(stages):
        if wanted and part.name not in wanted:
            continue
        for tally in tried(part, chosen, QUICK if quick else most, seconds):
            click.echo(
                f"{tally.part:<18} {tally.fault.lower():<10} points {tally.points:>5}  tried {tally.tried:>5}  "
                f"survived {tally.survived:>5}  {tally.seconds:.0f} s"
            )
            for line in tally.wrong[:SHOWN]:
                click.echo(f"    {line}")
            wrong += len(tally.wrong)
            if output is not None:
                with output.open("a") as file:
                    file.write(json.dumps(asdict(tally)) + "\n")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    preload()
    main()
