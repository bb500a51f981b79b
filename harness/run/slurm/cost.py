"""What a command is about to ask of a cluster, said before it does."""

from collections.abc import Iterable

from harness.core.graph import Node
from harness.declare.settings import SlurmSettings
from harness.run.slurm.resources import needs


def asked_for(stages: Iterable[tuple[Node, float | None]], settings: SlurmSettings, embedded: bool) -> str:
    """One line of the stages that are not done, each with the seconds it may take (None: unknown): jobs, GPU-hours, core-hours."""
    jobs, unknown, gpus, cores, limit = 0, 0, 0.0, 0.0, 0.0
    for node, seconds in stages:
        one = needs(node.kind, settings, embedded)
        jobs += 1
        if seconds is None:
            unknown += 1
            limit += one.gpus * node.ranks * one.time_min / 60
        else:
            gpus += one.gpus * node.ranks * seconds / 3600
            cores += one.cpus * node.ranks * seconds / 3600
    line = f"Slurm: {jobs} {'job' if jobs == 1 else 'jobs'} to submit"
    if unknown < jobs:
        line += f", about {gpus:.1f} GPU-hours and {cores:.1f} core-hours"
    if unknown:
        may = f", with up to {limit:.1f} GPU-hours an attempt by slurm.time_min" if limit else ""
        line += f"; nobody knows how long {'they' if unknown == jobs else f'{unknown} of them'} take{may}"
    return line
