"""`harness plan`: every stage of a run, and what of it is still to do."""

import json
from typing import Any

import click

from harness.commands.options import JSON
from harness.commands.session import Session, experiment_options


@click.command()
@experiment_options
@JSON
def plan(as_json: bool, **options: Any) -> None:
    """What a run would do: each stage cached, partial or missing, why, how long it may take, and what forecasts advise."""
    from harness.plan.plan import Plan, render
    from harness.results.forecast import advice

    session = Session.open(**options)
    planned = Plan.of(session.pipeline.graph, session.store, session.jobs)
    if as_json:
        click.echo(json.dumps(planned.to_json(), indent=1))
        return
    click.echo("\n\n".join((render(planned), *advice(session.pipeline, session.store, planned))))
