"""`harness forecast`: what one clip of every variant says of its long films, before any is made."""

import sys
from dataclasses import replace
from typing import Any

import click

from harness.commands.options import verbosity_options
from harness.commands.printing import print_markdown
from harness.commands.progress import console_of
from harness.commands.session import Session, experiment_options
from harness.core.errors import UseError
from harness.results.runs import RunRecord, begin


@click.command()
@experiment_options
@verbosity_options
def forecast(verbosity: int, **options: Any) -> None:
    """Where each variant's long films will drift to, from their first clips; trains what is needed, and `run` goes on."""
    sys.exit(forecast_experiment(Session.open(**options), verbosity))


def forecast_experiment(session: Session, verbosity: int) -> int:
    """Carry out all that the forecasts need, and no film; prints them. Returns the exit code."""
    from harness.plan.rollouts import foretelling
    from harness.results import rollouts
    from harness.results.forecast import forecasts, markdown
    from harness.run import schedule

    pipeline = session.pipeline
    if not any(child.forecast for child in pipeline.children):
        raise UseError(
            "no variant here has a forecast: it is measured on a clip that is conditioned on an image, as generate.method=model "
            "with method.generation=clips makes them; `harness run` makes and scores the films"
        )
    graph, record = foretelling(pipeline), RunRecord.of(pipeline)
    stages = dict.fromkeys([*record.stages, *(node.signature for node in graph)])
    begin(replace(record, stages=list(stages)), session.store.root)  # `harness gc` leaves alone what a run asks for
    with (
        console_of(graph, session.store, session.jobs, session.embedded, verbosity) as console,
        session.executor("local", console.say) as executor,
    ):
        outcome = schedule.run(graph, session.store, executor, console.event, console.tick)
    session.raise_use_errors(outcome)
    for track in pipeline.request.experiment.tracks:
        if found := forecasts(pipeline, session.store, track):
            print_markdown(f"**{track}**, in units of the latents, with 95 % intervals\n\n{markdown(found)}\n")
            clips = {name: one.clips for name, one in found.items()}
            if rolled := rollouts.rollouts(pipeline, session.store, track, clips):
                print_markdown(f"**{track}**, {rollouts.SAID}\n\n{rollouts.markdown(rolled)}\n")
    return schedule.EXIT_FAILED if outcome.failed else 0
