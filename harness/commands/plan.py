"""`harness plan`: what a run would do, and what of it is still to do."""

import json
from typing import Any

import click

from harness.commands.options import JSON
from harness.commands.session import Session, experiment_options


@click.command()
@experiment_options
@click.option("--long", is_flag=True, help="a row a stage")
@JSON
def plan(long: bool, as_json: bool, **options: Any) -> None:
    """What a run would do: for each variant what is done, how long the rest may take, and why; which differences it will
    show; and what forecasts advise."""
    from harness.plan.estimate import shipped_about
    from harness.plan.matrix import matrix
    from harness.plan.plan import Plan, render, totals
    from harness.results.forecast import advice
    from harness.results.foreseen import foreseen_lines

    session = Session.open(**options)
    pipeline = session.pipeline
    planned = Plan.of(pipeline.graph, session.store, session.jobs, session.embedded)
    if as_json:
        click.echo(json.dumps(planned.to_json(), indent=1))
        return
    shown = render(planned) if long else matrix(planned, pipeline)
    note = (
        [f"Times of what has not run here yet are those of another machine: {shipped_about()}."]
        if planned.shipped
        else []
    )
    told = [shown, "", totals(planned), *note, *foreseen_lines(pipeline, session.store)]
    click.echo("\n\n".join(("\n".join(told), *advice(pipeline, session.store, planned))))
