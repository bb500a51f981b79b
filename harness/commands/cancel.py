"""`harness cancel`: Slurm jobs of an experiment, or of single stages."""

import click

from harness.commands.options import OPENED_STORE
from harness.core.store import Store


@click.command()
@click.argument("names", metavar="EXPERIMENT|STAGE|JOB...", nargs=-1, required=True)
@OPENED_STORE
def cancel(names: tuple[str, ...], store: Store) -> None:
    """Cancel Slurm jobs: all that only the experiments named want, or single stages as `harness status` names them."""
    from harness.run.slurm.cancel import cancel_jobs

    cancel_jobs(store, names, click.echo)
