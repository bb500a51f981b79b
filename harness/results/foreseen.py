"""What a run will be able to show, before it is run: the smallest difference for its seeds and films."""

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from harness.core.store import Store
from harness.declare.request import MADE
from harness.plan.film_count import film_count
from harness.results.trainings import alike, kept, shipped

if TYPE_CHECKING:
    from harness.plan.pipeline import Pipeline
    from harness.results.trainings import Measure
    from reports.statistics.measures import Measure as Lead
    from reports.statistics.trainings import Trainings

LEADS = {"placed_psnr": "dB", "background_psnr": "dB", "colour_drift": ""}
"""Metrics that may lead, with their units: the late value of the first that anything is known of."""
HERE = "the spreads that earlier runs found here"
ALIKE = "the spreads of the same trainings elsewhere, which come with the harness"
TOY = "the spreads of the toy world's league, which come with the harness and may be far from these"


def foreseen_lines(pipeline: "Pipeline", store: Store) -> Iterator[str]:
    """A line a track, for people; none where nothing is compared, or where samples are too few for any interval."""
    from reports.statistics.bootstrap import FEWEST
    from reports.statistics.power import foreseen
    from reports.tables.labels import measure_label, unit_suffix

    children = {child.variant.name: child for child in pipeline.children}
    made = {name: child for name, child in children.items() if child.resolved.settings.generate.method == MADE}
    seeds = len(pipeline.request.experiment.seeds)
    trainings = {name: tuple(one.train.values()) for name, one in made.items()}
    trained = len({one for one in trainings.values() if one})
    baseline = children[pipeline.request.experiment.baseline]
    of_baseline = trainings.get(baseline.variant.name, ())
    # A row of the baseline's own training is not shifted beside it; the comparison that shows least counts.
    sides = max((bool(one) + bool(of_baseline) for one in trainings.values() if one != of_baseline), default=0)
    settings = pipeline.children[0].resolved.settings
    for track in pipeline.request.experiment.tracks:
        films = film_count(settings, pipeline.request.experiment.track(track))
        rows = sum(not one.has_films_of(baseline, track) for one in made.values())
        found = _known(store, trained_alike(pipeline), track)
        if found is None or rows < 1 or films < FEWEST:
            continue
        measure, spread, whence = found
        smallest = f"{foreseen(spread, seeds, films, rows, trained, sides):.2g}{unit_suffix(LEADS[measure.metric])}"
        yield (
            f"{track}: {seeds} seed{'s' * (seeds > 1)} and {films} films will show differences from about {smallest} on in "
            f"{measure_label(measure)} (power 80 %, 5 % over {rows} comparisons), by {whence}.{_instead(measure.metric)}"
        )


def trained_alike(pipeline: "Pipeline") -> str:
    """The name that a store keeps the spread of the baseline's trainings under."""
    baseline = next(child for child in pipeline.children if child.variant.name == pipeline.request.experiment.baseline)
    nodes = [pipeline.graph[signature] for signature in baseline.train.values()]
    return alike((node.identity, node.upstream) for node in nodes)


def _known(store: Store, name: str, track: str) -> "tuple[Lead, Trainings, str] | None":
    """What is known of the metric that is likely to lead on the track, and whence: what more trainings like these told, or else
    the toy's."""
    anything = {key: one for rows in shipped().values() for key, one in rows.items()}
    told = [_late(kept(store.root, name), HERE, track), _late(shipped().get(name, {}), ALIKE, track)]
    alike = [one for one in told if one]
    rank = list(LEADS).index
    return max(alike, key=lambda one: (-rank(one[0].metric), one[1].freedom), default=_late(anything, TOY, track))


def _late(found: "Mapping[Measure, Trainings]", whence: str, track: str) -> "tuple[Lead, Trainings, str] | None":
    """Of the first of `LEADS` whose spread is known there, that of rows' differences too."""
    from reports.statistics.measures import Measure as Lead

    late = {
        metric: one
        for (where, metric, of, _), one in found.items()
        if (where, of) == (track, "late") and not math.isnan(one.paired)
    }
    metric = next((metric for metric in LEADS if metric in late), None)
    return (Lead(metric, "late"), late[metric], whence) if metric else None


def _instead(metric: str) -> str:
    """Why another metric than the first of `LEADS` stands here."""
    from reports.tables.labels import metric_label

    first = next(iter(LEADS))
    if metric == first:
        return ""
    return (
        f" That is not {metric_label(first)}, which leads where the true film is known: no spread of it is known yet."
    )
