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

if TYPE_CHECKING:
    from harness.plan.pipeline import Child, Pipeline
    from reports.statistics.forecast import Forecast, Interval

HEAD = ("variant", "gain", "eps", "settles at", "time constant, clips", "late error", "films")


def forecast_of(store: Store, signatures: Sequence[str], clips: int) -> "Forecast":
    """Of finished Forecast stages, a seed each, for films of `clips` clips.

    Raises:
        ValueError: no stage, or no film with a gain and eps.
    """
    from reports.statistics.forecast import forecast

    found = []
    for signature in signatures:
        with np.load(store.artifact(FORECAST.name, signature) / GAIN_AND_EPS) as measured:
            found.append((measured["gain"], measured["eps"]))
    gain, eps = (np.stack(parts) for parts in zip(*found, strict=True)) if found else (np.empty(0), np.empty(0))
    return forecast(gain, eps, clips)


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


def clearly_worse(found: Mapping[str, "Forecast"]) -> list[str]:
    """Those whose interval of the late error lies above the best one's; none where intervals are unknown."""
    best = min(found.values(), key=lambda one: one.late.value)
    return [name for name, one in found.items() if one.late.low > best.late.high]


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
        worse = clearly_worse(found)
        yield f"{track}: forecasts from one clip, in units of the latents\n{render(found)}"
        if not worse:
            yield "No forecast is clearly worse than the best: only the long films can tell these apart."
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
