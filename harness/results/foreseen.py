"""What a run will be able to show, before it is run: the smallest difference for its seeds and films."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from benchmarks.samples import load_samples, samples_folder
from harness.core.store import Store
from harness.declare.request import MADE
from harness.results.trainings import alike, kept, shipped

if TYPE_CHECKING:
    from harness.plan.pipeline import Pipeline
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
    trained, seeds = sum(bool(child.train) for child in made.values()), len(pipeline.request.experiment.seeds)
    for track in pipeline.request.experiment.tracks:
        films, rows = _films(pipeline, track), len(made) - 1
        found = _known(store, trained_alike(pipeline), track)
        if found is None or not rows or films < FEWEST:
            continue
        measure, spread, whence = found
        smallest = f"{foreseen(spread, seeds, films, rows, trained):.2g}{unit_suffix(LEADS[measure.metric])}"
        yield (
            f"{track}: {seeds} seed{'s' * (seeds > 1)} and {films} films will show differences from about {smallest} on in "
            f"{measure_label(measure)} (power 80 %, 5 % over {rows} comparisons), by {whence}."
        )


def trained_alike(pipeline: "Pipeline") -> str:
    """The name that a store keeps the spread of the baseline's trainings under."""
    baseline = next(child for child in pipeline.children if child.variant.name == pipeline.request.experiment.baseline)
    nodes = [pipeline.graph[signature] for signature in baseline.train.values()]
    return alike((node.identity, node.upstream) for node in nodes)


def _known(store: Store, name: str, track: str) -> "tuple[Lead, Trainings, str] | None":
    """What is known of the metric that is likely to lead on the track, and whence."""
    from reports.statistics.measures import Measure as Lead

    anything = {key: one for rows in shipped().values() for key, one in rows.items()}
    for found, whence in ((kept(store.root, name), HERE), (shipped().get(name, {}), ALIKE), (anything, TOY)):
        late = {metric: one for (where, metric, of, _), one in found.items() if (where, of) == (track, "late")}
        if metric := next((metric for metric in LEADS if metric in late), None):
            return Lead(metric, "late"), late[metric], whence
    return None


def _films(pipeline: "Pipeline", track: str) -> int:
    """How many films each variant and seed has."""
    settings = pipeline.children[0].resolved.settings
    wanted = settings.generate.samples
    if settings.eval.path is None:
        return wanted
    samples, _ = load_samples(samples_folder(settings.eval.path, pipeline.request.experiment.track(track)))
    return min(wanted, len(samples))
