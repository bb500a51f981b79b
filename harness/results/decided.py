"""Which rows of a report are decided."""

from collections.abc import Iterator

from harness.core.store import Store
from harness.declare.request import MADE
from harness.plan.kinds import REPORT
from harness.plan.pipeline import Pipeline
from reports.artifacts import SUMMARY


def undecided(pipeline: Pipeline, store: Store) -> dict[str, int]:
    """The variants beside the baseline that a finished report calls neither better nor worse on the lead measure, by track, and
    of how many samples they have films.

    Such as "no_e_vid on consistent-50s": 16. Trivial baselines are left out, and tracks without a lead.
    """
    return dict(_undecided(pipeline, store))


def _undecided(pipeline: Pipeline, store: Store) -> Iterator[tuple[str, int]]:
    import pandas as pd

    from reports.statistics.measures import lead_measure
    from reports.tables.answer import kinds

    baseline = pipeline.request.experiment.baseline
    summary = pd.read_csv(store.artifact(REPORT.name, pipeline.report) / SUMMARY)
    made = [child.variant.name for child in pipeline.children if child.resolved.settings.generate.method == MADE]
    for track in pipeline.request.experiment.tracks:
        if (lead := lead_measure(summary, track)) is None:
            continue
        rows = summary[(summary["track"] == track) & (summary["metric"] == lead.metric)]
        rows = rows[(rows["statistic"] == lead.statistic) & (rows["delta_n"] > 0)]
        rows = rows[rows["variant"].isin(made) & (rows["variant"] != baseline)]
        found = kinds(rows)
        decided = {*found.worse["variant"], *found.better["variant"]}
        for name, samples in zip(rows["variant"], rows["delta_n"], strict=True):
            if name not in decided:
                yield f"{name} on {track}", int(samples)
