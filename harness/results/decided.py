"""Which rows of a report are decided, and which differences a further look would show."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness.core.store import Store
from harness.declare.request import MADE
from harness.plan.film_count import film_count
from harness.plan.pipeline import Pipeline
from harness.results.frame import results_frame
from harness.results.info import report_info
from harness.results.reports import job_of
from reports.artifacts import SUMMARY

if TYPE_CHECKING:
    import pandas as pd


def undecided(pipeline: Pipeline, store: Store) -> dict[str, int]:
    """The variants beside the baseline that a finished report calls neither better nor worse on the lead measure, by track, and
    of how many samples they have films.

    Such as "no_e_vid on consistent-50s": 16. Of none where it shares no scored film with the baseline, or the track has no lead.
    Trivial baselines are left out.
    """
    return dict(_undecided(pipeline, store))


def _undecided(pipeline: Pipeline, store: Store) -> Iterator[tuple[str, int]]:
    from reports.statistics.measures import lead_measure
    from reports.tables.answer import kinds

    children = {child.variant.name: child for child in pipeline.children}
    baseline = children[pipeline.request.experiment.baseline]
    summary = _summary(store.find(pipeline.report))
    made = {name: one for name, one in children.items() if one.resolved.settings.generate.method == MADE}
    for track in pipeline.request.experiment.tracks:
        lead = lead_measure(summary, track)
        compared = [name for name, one in made.items() if not one.has_films_of(baseline, track)]
        rows = summary[(summary["track"] == track) & summary["variant"].isin(compared)]
        rows = rows[(rows["metric"] == lead.metric) & (rows["statistic"] == lead.statistic)] if lead else rows.iloc[:0]
        rows = rows[rows["delta_n"] > 0]
        found, samples = kinds(rows), dict(zip(rows["variant"], rows["delta_n"].astype(int), strict=True))
        decided = {*found.worse["variant"], *found.better["variant"], *found.same["variant"]}
        yield from ((f"{name} on {track}", samples.get(name, 0)) for name in compared if name not in decided)


def shown_by(later: Pipeline, pipeline: Pipeline, store: Store) -> float:
    """How large the differences are that a later look's seeds and films will show on the lead measures, over those that a finished
    report shows: 0.8 where a difference that is a fifth smaller is shown as often.

    Of all rows and tracks, decided or not, and by their spreads alone, so that it does not depend on any difference. NaN where no
    spread is known.
    """
    from reports.statistics.frame import validated
    from reports.statistics.lead_pairs import lead_rows
    from reports.statistics.power import shown_with
    from reports.statistics.view import ReportView

    folder = store.find(pipeline.report)
    job = job_of(store, folder, pipeline.request.name)
    info = report_info(job)
    view = ReportView(validated(results_frame(job), info), _summary(folder), info)
    seeds, told = (len(one.request.experiment.seeds) for one in (later, pipeline)), []
    more = next(seeds) / next(seeds)
    for track in view.tracks:
        films = _films(later, track.track) / _films(pipeline, track.track)
        told += [shown_with(lead_rows(track), more, films, info.alpha)] * len(lead_rows(track))
    known = [math.log(one) for one in told if not math.isnan(one)]
    return math.exp(sum(known) / len(known)) if known else math.nan


def _summary(report: Path) -> "pd.DataFrame":
    """As it was written: a variant may be called 100, or null."""
    import pandas as pd

    text = dict.fromkeys(("variant", "track", "metric", "statistic"), str)
    return pd.read_csv(report / SUMMARY, dtype=text, keep_default_na=False, na_values=[""])


def _films(pipeline: Pipeline, track: str) -> int:
    return film_count(pipeline.children[0].resolved.settings, pipeline.request.experiment.track(track))
