"""What one clip of every variant says of its long films: `harness forecast`, and the advice under `harness plan`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.track import film_length
from harness.core.artifacts import GAIN_AND_EPS
from harness.core.store import Store
from harness.core.text import duration, markdown_table, table
from harness.plan.kinds import FORECAST
from harness.plan.plan import Plan
from harness.results.foreseen import trained_alike
from harness.results.trainings import forecast_measure, known

if TYPE_CHECKING:
    from benchmarks.arrays import Floats
    from harness.plan.pipeline import Child, Pipeline
    from reports.statistics.forecast import Forecast, Interval

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
        with np.load(store.artifact(FORECAST.name, signature) / GAIN_AND_EPS) as measured:
            found.append((measured["gain"], measured["eps"]))
    gain, eps = (np.stack(parts) for parts in zip(*found, strict=True)) if found else (np.empty(0), np.empty(0))
    return gain, eps


def clips_of(pipeline: "Pipeline", child: "Child", track: str) -> int:
    """How many clips the child's films have on the track."""
    settings = child.resolved.settings
    timing = (settings.generate.film_fps(settings.data), settings.data.clip_frames, settings.condition.overlap)
    return film_length(pipeline.request.experiment.track(track), *timing, settings.generate.length).n_clips


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
    """The variants whose forecast is worse than the best one's by the rules of every difference, and whether that has the
    spread of trainings in it: films paired, the trainings' spread pooled over variants or as the store knows it, and Holm's
    correction. `found`: `forecasts` of the track, the best first.
    """
    from reports.statistics.bootstrap import LEVEL, holm
    from reports.statistics.forecast import late_by_film
    from reports.statistics.paired import Pairs
    from reports.statistics.trainings import Trainings

    tables, trained = {}, set()
    for name in found:
        children = [child for child in pipeline.children if child.variant.name == name and track in child.forecast]
        measured = _measured(store, [child.forecast[track] for child in children])
        tables[name] = late_by_film(*measured, clips_of(pipeline, children[0], track))
        trained |= {name} if children[0].train else set()
    shift = Trainings.pooled(tables[name] for name in found if name in trained)
    shift = shift or known(store.root, trained_alike(pipeline)).get(forecast_measure(track))
    best, *others = found
    sides = [len({best, name} & trained) for name in others]
    differences = [
        Pairs(tables[name] - tables[best], ()).difference(shift, side) for name, side in zip(others, sides, strict=True)
    ]
    corrected = holm(np.array([one.p for one in differences]))
    worse = [
        name
        for name, one, p in zip(others, differences, corrected, strict=True)
        if one.significant and one.mean > 0 and p < 1 - LEVEL
    ]
    return worse, shift is not None or not any(sides)


def render(found: Mapping[str, "Forecast"]) -> str:
    """A plain text table, a row a variant."""
    return "\n".join(table([HEAD, *_rows(found)]))


def markdown(found: Mapping[str, "Forecast"]) -> str:
    """The same as Markdown."""
    return markdown_table(HEAD, _rows(found))


def _rows(found: Mapping[str, "Forecast"]) -> Iterator[tuple[str, ...]]:
    for name, one in found.items():
        estimates = (one.gain, one.eps, one.plateau, one.time_constant, one.late)
        yield (name, *map(_stated, estimates), str(one.films))


def _stated(interval: "Interval") -> str:
    if np.isinf(interval.value):
        return "never"
    spread = "" if np.isnan(interval.low) else f" [{interval.low:.3g}, {interval.high:.3g}]".replace("inf", "never")
    return f"{interval.value:.3g}{spread}"


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
        worse, spread_known = clearly_worse(pipeline, store, track, found)
        yield f"{track}: forecasts from one clip, in units of the latents\n{render(found)}"
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
            f"Worth long films: {', '.join(kept)}. Clearly worse already by one clip: {', '.join(worse)}. --only '{only}' "
            f"spares their films{f' and {duration(spared)}' if spared else ''}; a control may be wanted all the same."
        )


def _cost(child: "Child", track: str, estimates: Mapping[str, float]) -> float:
    """Seconds that the child's films and their scores may still take."""
    return sum(estimates.get(signature, 0.0) for signature in (child.generate[track], *child.score[track].values()))
