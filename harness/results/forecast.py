"""What one clip of every variant says of its long films: `harness forecast`, and the advice under `harness plan`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.core.artifacts import GAIN_AND_EPS
from harness.core.store import Store
from harness.core.text import duration, markdown_table, table
from harness.plan.kinds import FORECAST
from harness.plan.length import length_of
from harness.plan.plan import Plan
from harness.results import rollouts
from harness.results.foreseen import trained_alike
from harness.results.trainings import forecast_measure, known

if TYPE_CHECKING:
    from benchmarks.arrays import Floats
    from harness.plan.child import Child
    from harness.plan.pipeline import Pipeline
    from reports.statistics.forecast import Forecast
    from reports.statistics.trainings import Made, Trainings

HEAD = ("variant", "gain", "eps", "settles at", "time constant, clips", "late error", "films")


def forecast_of(store: Store, signatures: Sequence[str], clips: int) -> "Forecast":
    """Of finished Forecast stages, a seed each, for films of `clips` clips.

    Raises:
        ValueError: no stage, or no film with a gain and eps.
    """
    from reports.statistics.forecast import forecast

    return forecast(*_measured(store, signatures), clips)


def _measured(store: Store, signatures: Sequence[str]) -> "tuple[Floats, Floats]":
    """Gain and eps of finished Forecast stages, [seeds, films] each."""
    found = []
    for signature in signatures:
        with np.load(store.find(signature) / GAIN_AND_EPS) as measured:
            found.append((measured["gain"], measured["eps"]))
    gain, eps = (np.stack(parts) for parts in zip(*found, strict=True)) if found else (np.empty(0), np.empty(0))
    return gain, eps


def clips_of(pipeline: "Pipeline", child: "Child", track: str) -> int:
    """How many clips the child's films have on the track."""
    return length_of(child.resolved.settings, pipeline.request.experiment.track(track)).n_clips


def forecasts(pipeline: "Pipeline", store: Store, track: str) -> dict[str, "Forecast"]:
    """By variant, of those whose every seed has been measured; the least error at the end of the film first."""
    by_variant: dict[str, list[Child]] = {}
    for child in pipeline.children:
        if track in child.forecast:
            by_variant.setdefault(child.variant.name, []).append(child)
    found = {}
    for name, children in by_variant.items():
        signatures = [child.forecast[track] for child in children]
        if all(store.done(FORECAST.name, signature) for signature in signatures):
            found[name] = forecast_of(store, signatures, clips_of(pipeline, children[0], track))
    return dict(sorted(found.items(), key=lambda pair: pair[1].late.value))


def clearly_worse(
    pipeline: "Pipeline", store: Store, track: str, found: Mapping[str, "Forecast"]
) -> tuple[list[str], bool]:
    """`worse_than_best` of forecasts; where no run of several seeds tells the trainings' spread, by what the store knows of it.

    `found`: `forecasts` of the track, the best first.
    """
    from reports.statistics.forecast import late_by_film

    tables, made = {}, {}
    for name in found:
        children = [child for child in pipeline.children if child.variant.name == name and track in child.forecast]
        measured = _measured(store, [child.forecast[track] for child in children])
        tables[name] = late_by_film(*measured, clips_of(pipeline, children[0], track))
        if children[0].train:
            made[name] = {number: " ".join(child.train.values()) for number, child in enumerate(children)}
    return worse_than_best(tables, made, known(store.root, trained_alike(pipeline)).get(forecast_measure(track)))


def worse_than_best(
    tables: Mapping[str, "Floats"], made: "Made", earlier: "Trainings | None" = None
) -> tuple[list[str], bool]:
    """The rows worse than the first by the rules of every difference, and whether that has the spread of trainings in it.

    `tables`: late errors [seeds, films] by row, the least first; `made`: the trainings of the trained ones; `earlier`: what is
    known of these without this run. Films are paired. The first was chosen for its forecast, so any two rows could have been
    the pair that is compared: p is corrected for all of these (Bonferroni).
    """
    from reports.statistics.bootstrap import LEVEL
    from reports.statistics.paired import Pairs
    from reports.statistics.trainings import Trainings, shared, weights

    trained = [name for name in tables if name in made]
    shift = Trainings.pooled((tables[name] for name in trained), weights=weights(made, trained)) or earlier
    best, *others = tables
    worse, told = [], True
    for name in others:
        table = tables[name] - tables[best]
        alike = shared(made, name, best)
        sides = len({best, name} & made.keys()) * (not alike)
        own = Trainings.pooled([table]) if alike else None
        one = Pairs(table, ()).difference(own or shift, 1 if own else sides)
        told = told and (shift is not None or not sides)
        if one.mean > 0 and one.p * len(tables) * len(others) / 2 < 1 - LEVEL:
            worse.append(name)
    return worse, told


def render(found: Mapping[str, "Forecast"]) -> str:
    """A plain text table, a row a variant."""
    return "\n".join(table([HEAD, *_rows(found)]))


def markdown(found: Mapping[str, "Forecast"]) -> str:
    """The same as Markdown."""
    return markdown_table(HEAD, _rows(found))


def _rows(found: Mapping[str, "Forecast"]) -> Iterator[tuple[str, ...]]:
    from reports.tables.numbers import stated

    for name, one in found.items():
        estimates = (one.gain, one.eps, one.plateau, one.time_constant, one.late)
        yield (name, *map(stated, estimates), str(one.films))


def advice(pipeline: "Pipeline", store: Store, plan: Plan) -> Iterator[str]:
    """Lines for people: which films the forecasts say are worth their time, and what the others would cost."""
    estimates = {row.node.signature: row.estimate or 0.0 for row in plan.rows if row.state != "cached"}
    for track in pipeline.request.experiment.tracks:
        probed = [child for child in pipeline.children if track in child.forecast]
        if not any(child.generate[track] in estimates for child in probed):
            continue
        found = forecasts(pipeline, store, track)
        if len(found) < len({child.variant.name for child in probed}):
            missing = sum(not store.done(FORECAST.name, child.forecast[track]) for child in probed)
            yield f"{track}: {missing} of {len(probed)} forecasts are missing; `harness forecast` measures them on one clip"
            continue
        if len(found) < 2:
            continue
        (worse, spread_known), seen = clearly_worse(pipeline, store, track, found), "one clip"
        yield f"{track}: forecasts from one clip, in units of the latents\n{render(found)}"
        clips = {name: one.clips for name, one in found.items()}
        rolled = rollouts.rollouts(pipeline, store, track, clips)
        if len(rolled) == len(found):
            yield f"{track}: {rollouts.SAID}\n{rollouts.render(rolled)}"
            if (below := rollouts.below_the_best(rolled)) is not None:
                worse, spread_known, seen = below, True, "the first clips"
        if not worse:
            yield "No forecast is clearly worse than the best: only the long films can tell these apart."
            continue
        if not spread_known:
            yield (
                f"Of one training each, {', '.join(worse)} look worse by one clip; nothing here tells how far another training "
                "would end, so none is clearly worse: --seeds 2 tells."
            )
            continue
        spared = sum(_cost(child, track, estimates) for child in probed if child.variant.name in worse)
        kept = [name for name in found if name not in worse]
        asked = pipeline.request.experiment
        only = ",".join(v.name for v in asked.variants if v.name not in worse or v.name == asked.baseline)
        yield (
            f"Worth long films: {', '.join(kept)}. Clearly worse already by {seen}: {', '.join(worse)}. --only "
            f"'{only}' spares their films{f' and {duration(spared)}' if spared else ''}; a control may be wanted all the same."
        )


def _cost(child: "Child", track: str, estimates: Mapping[str, float]) -> float:
    """Seconds that the child's films and their scores may still take."""
    return sum(estimates.get(signature, 0.0) for signature in (child.generate[track], *child.score[track].values()))
