"""Which rows of a report are decided."""

from collections.abc import Iterator

from harness.core.store import Store
from harness.declare.request import MADE
from harness.plan.pipeline import Pipeline
from reports.artifacts import SUMMARY


def undecided(pipeline: Pipeline, store: Store) -> dict[str, int]:
    """The variants beside the baseline that a finished report calls neither better nor worse on the lead measure, by track, and
    of how many samples they have films.

    Such as "no_e_vid on consistent-50s": 16. Of none where it shares no scored film with the baseline, or the track has no lead.
    Trivial baselines are left out.
    """
    return dict(_undecided(pipeline, store))


def _undecided(pipeline: Pipeline, store: Store) -> Iterator[tuple[str, int]]:
    import pandas as pd

    from reports.statistics.measures import lead_measure
    from reports.tables.answer import kinds

    baseline = pipeline.request.experiment.baseline
    summary = pd.read_csv(store.find(pipeline.report) / SUMMARY)
    made = [child.variant.name for child in pipeline.children if child.resolved.settings.generate.method == MADE]
    compared = [name for name in dict.fromkeys(made) if name != baseline]
    for track in pipeline.request.experiment.tracks:
        lead = lead_measure(summary, track)
        rows = summary[(summary["track"] == track) & summary["variant"].isin(compared)]
        rows = rows[(rows["metric"] == lead.metric) & (rows["statistic"] == lead.statistic)] if lead else rows.iloc[:0]
        rows = rows[rows["delta_n"] > 0]
        found, samples = kinds(rows), dict(zip(rows["variant"], rows["delta_n"].astype(int), strict=True))
        decided = {*found.worse["variant"], *found.better["variant"]}
        yield from ((f"{name} on {track}", samples.get(name, 0)) for name in compared if name not in decided)
