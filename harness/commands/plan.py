"""`harness plan`: what a run would do, and what of it is still to do."""

import json
from typing import TYPE_CHECKING, Any

import click

from harness.commands.options import JSON
from harness.commands.session import Session, experiment_options
from harness.core.errors import UseError
from svi.backbones.catalogue import FOLDER, MODELS

if TYPE_CHECKING:
    from harness.plan.cards import Card
    from harness.plan.size import Sizes


@click.command()
@experiment_options
@click.option("--long", is_flag=True, help="a row a stage")
@click.option(
    "--card", default=None, help="a GPU such as H100, for models at size: whether stages fit, and their hours"
)
@JSON
def plan(long: bool, card: str | None, as_json: bool, **options: Any) -> None:
    """What a run would do: for each variant what is done, how long the rest may take, and why; which differences it will
    show; and what forecasts advise."""
    from harness.plan.estimate import shipped_about
    from harness.plan.matrix import matrix
    from harness.plan.plan import Plan, render, totals
    from harness.plan.size import shown, to_json
    from harness.results.forecast import advice
    from harness.results.foreseen import foreseen_lines

    session = Session.open(**options, weights=False)
    pipeline = session.pipeline
    planned = Plan.of(pipeline.graph, session.store, session.jobs, session.embedded)
    sizes, on = _at_size(session, card)
    if as_json:
        click.echo(json.dumps({**planned.to_json(), "at_size": sizes and to_json(sizes, on)}, indent=1))
        return
    sized = shown(sizes, on) if sizes else []
    stages = render(planned) if long else matrix(planned, pipeline)
    note = (
        [f"Times of what has not run here yet are those of another machine: {shipped_about()}."]
        if planned.shipped
        else []
    )
    told = [stages, "", totals(planned), *note, *sized, *pipeline.notes, *foreseen_lines(pipeline, session.store)]
    click.echo("\n\n".join(("\n".join(told), *advice(pipeline, session.store, planned))))


def _at_size(session: Session, name: str | None) -> "tuple[Sizes | None, Card | None]":
    """What a model at size asks for, None of the embedded one, and the card. Raises UseError for what does not fit on it."""
    settings = [child.resolved.settings for child in session.pipeline.children]
    if not all(one.backbone.name in (*MODELS, FOLDER) for one in settings):
        if name is not None:
            raise UseError(f"--card {name}: cards are for Wan models at size, and this plan has another; leave it out")
        return None, None
    from harness.plan.cards import card_named
    from harness.plan.size import Sizes, check

    card, sizes = None if name is None else card_named(name, session.store.root), Sizes(session.pipeline)
    if card is not None:
        check(sizes, card)
    return sizes, card
