"""Where the stages of a command run: `--executor`, and what it opens."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from harness.core.graph import Graph
from harness.core.store import Store
from harness.declare.settings import SlurmSettings
from harness.plan.plan import Plan
from harness.run.slurm.cost import asked_for

if TYPE_CHECKING:
    from harness.run.local import Local
    from harness.run.slurm.executor import Slurm
    from harness.run.slurm.submission import Submitter

LOCAL, SLURM = "local", "slurm"
EXECUTOR = click.option(
    "--executor",
    type=click.Choice([LOCAL, SLURM]),
    default=LOCAL,
    show_default=True,
    help="where stages run: this machine, or jobs of a Slurm cluster (docs/slurm.md)",
)


@dataclass(frozen=True)
class Asking:
    """Who asks a cluster for what: the settings and scale, the experiment whose jobs they are, and where lines for people go.

    `of` begins the line that says what is asked for.
    """

    slurm: SlurmSettings
    embedded: bool
    experiment: str
    say: Callable[[str], None]
    of: str = ""


def open_executor(name: str, jobs: int, graph: Graph, store: Store, asking: Asking) -> "Local | Slurm":
    """What carries the stages of the graph out: this machine, so many side by side, or Slurm.

    Raises UseError where nothing can be submitted.
    """
    if name == SLURM:
        from harness.run.slurm.executor import Slurm

        return Slurm(open_submitter(graph, store, asking))
    from harness.core.provenance import facts
    from harness.run.local import Local

    return Local(jobs, facts())


def open_submitter(graph: Graph, store: Store, asking: Asking) -> "Submitter":
    """What sends the stages to Slurm; says first what they ask of it. Raises UseError where nothing can be submitted."""
    from harness.core.provenance import facts
    from harness.run.slurm.submission import Submitter

    submitter = Submitter(asking.slurm, asking.embedded, asking.experiment, facts(), asking.say)
    submitter.check(list(graph))
    rows = Plan.of(graph, store, 1, asking.embedded).rows
    if left := [(row.node, row.estimate) for row in rows if row.state != "cached"]:
        asking.say(asking.of + asked_for(left, asking.slurm, asking.embedded))
    return submitter
