"""The console of a command that carries stages out: it knows how long they may take."""

from typing import TYPE_CHECKING

from harness.core.graph import Graph
from harness.core.store import Store

if TYPE_CHECKING:
    from harness.run.console import Console


def console_of(graph: Graph, store: Store, jobs: int, embedded: bool, verbosity: int) -> "Console":
    """Of all stages of the graph, with what the plan says of their time; `embedded`: of the embedded model."""
    from harness.plan.plan import Plan
    from harness.run.console import Console
    from harness.run.pace import Expected

    plan = Plan.of(graph, store, jobs, embedded)
    seconds = {row.node.signature: row.estimate for row in plan.rows if row.state != "cached"}
    return Console(len(graph), Expected(seconds, plan.seconds), verbosity)
