"""What the first clips of some films foretell of the end of all, in decibels and in objects, where the world is known."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.core.artifacts import FIRST_CLIPS, GAIN_AND_EPS, STRENGTH
from harness.core.store import Store
from harness.core.text import markdown_table, table
from harness.plan.kinds import BACKBONE, FORECAST, ROLLOUT
from harness.plan.rollouts import rollout_of
from harness.results.misses import FORETOLD, misses

if TYPE_CHECKING:
    from harness.plan.child import Child
    from harness.plan.pipeline import Pipeline
    from reports.statistics.foretold import Foretold

HEAD = ("variant", "late placed PSNR, dB", "late background PSNR, dB", "objects, of 0.7")

SAID = "foretold from the first clips, with 90 % intervals where misses are known; objects: what one clip makes of fainter ones"


class Rolled(NamedTuple):
    """Of one variant: the late means of `FORETOLD`, how strong the objects are after a clip that began with fainter ones, and by
    how much forecasts of trainings like its own missed, by metric."""

    late: "Mapping[str, Foretold]"
    strength: float
    misses: Mapping[str, tuple[float, ...]]


def rollouts(pipeline: "Pipeline", store: Store, track: str, clips: Mapping[str, int]) -> dict[str, Rolled]:
    """By variant, of those whose every seed has been rolled out; the best end first. `clips`: of their films."""
    from reports.statistics.foretold import foretold

    by_variant: dict[str, list[Child]] = {}
    for child in pipeline.children:
        if track in child.forecast and child.variant.name in clips:
            by_variant.setdefault(child.variant.name, []).append(child)
    found = {}
    for name, children in by_variant.items():
        nodes = [rollout_of(pipeline, child, track) for child in children]
        made = [node.signature for node in nodes if node and store.done(node.kind, node.signature)]
        if len(made) < len(children):
            continue
        told = [_arrays(store, ROLLOUT.name, signature, FIRST_CLIPS) for signature in made]
        gain = np.stack([_arrays(store, FORECAST.name, one.forecast[track], GAIN_AND_EPS)["gain"] for one in children])
        films = pipeline.graph[children[0].generate[track]]  # other seeds are trained alike
        trainings = [pipeline.graph[one].identity for one in children[0].train.values()]
        base = films.upstream.get(BACKBONE.name)
        known = misses(clips[name], base if isinstance(base, str) else None, trainings)
        late = {
            metric: foretold(np.stack([one[metric] for one in told]), gain, clips[name], known.get(metric, ()))
            for metric in FORETOLD
        }
        found[name] = Rolled(late, float(np.mean([one[STRENGTH] for one in told])), known)
    return dict(sorted(found.items(), key=lambda pair: -pair[1].late[FORETOLD[0]].value))


def below_the_best(found: Mapping[str, Rolled]) -> list[str] | None:
    """The rows that end below the first by more than forecasts of two trainings miss each other; None where that is not known.

    The first was chosen for its forecast, so p is corrected for all pairs that it could have been chosen from (Bonferroni).
    """
    from reports.statistics.bootstrap import LEVEL
    from reports.statistics.foretold import chance

    metric = FORETOLD[0]
    best, *others = found
    known = [one.misses.get(metric, ()) for one in found.values()]
    if not all(known):
        return None
    pairs = len(found) * len(others) / 2
    top = found[best].late[metric].value
    return [n for n in others if pairs * chance(top - found[n].late[metric].value, known[0]) < 1 - LEVEL]


def render(found: Mapping[str, Rolled]) -> str:
    """A plain text table, a row a variant."""
    return "\n".join(table([HEAD, *_rows(found)]))


def markdown(found: Mapping[str, Rolled]) -> str:
    """The same as Markdown."""
    return markdown_table(HEAD, _rows(found))


def _rows(found: Mapping[str, Rolled]) -> Iterator[tuple[str, ...]]:
    for name, one in found.items():
        yield (name, *(_stated(one.late[metric]) for metric in FORETOLD), f"{one.strength:.2f}")


def _stated(one: "Foretold") -> str:
    return f"{one.value:.1f}" + ("" if np.isnan(one.low) else f" [{one.low:.1f}, {one.high:.1f}]")


def _arrays(store: Store, kind: str, signature: str, name: str) -> dict[str, np.ndarray]:
    with np.load(store.artifact(kind, signature) / name) as found:
        return dict(found)
