"""Rollouts: the first clips of a variant's films, where the world is known. Forecasts alone read them, and no film or score
depends on them."""

from dataclasses import replace

from harness.core.graph import Graph, Node
from harness.plan.child import Child
from harness.plan.kinds import ROLLOUT
from harness.plan.pipeline import Pipeline

PER_FORECAST = 2.0
"""The clips that a rollout makes over those of a forecast: 4 x 12 + 16 beside 2 x 16."""


def rollout_of(pipeline: Pipeline, child: Child, track: str) -> Node | None:
    """Of a child's films on the track, whose forecast it stands beside; None without a forecast, or a world to hold clips against.

    Films that follow a signal have none: their objects have no course of their own (docs/forecast.md).
    """
    settings = child.resolved.settings
    if track not in child.forecast or settings.condition.signal is not None or not settings.generate.lossless:
        return None
    probe = pipeline.graph[child.forecast[track]]  # what is made is made by the same settings
    # As planned: a Wan's films start from bundled samples, unless told otherwise.
    if probe.identity["eval.samples"] != "scenes":
        return None
    return replace(
        probe,
        kind=ROLLOUT.name,
        version=ROLLOUT.version,
        target=ROLLOUT.target,
        priority=ROLLOUT.priority,
        work=PER_FORECAST * probe.work,
    )


def foretelling(pipeline: Pipeline) -> Graph:
    """All forecasts and rollouts, and what they stand on."""
    forecasts = [signature for child in pipeline.children for signature in child.forecast.values()]
    graph = pipeline.graph.upto(forecasts)
    for child in pipeline.children:
        for track in child.forecast:
            if node := rollout_of(pipeline, child, track):
                graph.add(node)
    return graph
