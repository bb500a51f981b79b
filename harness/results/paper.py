"""The paper's tables, with all that a store holds beside them."""

import sys
from typing import TYPE_CHECKING

from harness.core.errors import UseError
from harness.core.store import Store
from harness.declare.spec import matching
from harness.results.frame import joined, results_frame
from harness.results.info import backbone_of
from harness.results.reports import finished_reports, report_job
from harness.results.scored_videos import OTHERS, RECORDS, scored_videos

if TYPE_CHECKING:
    import pandas as pd

    from reports.tables import paper


def paper_table(store: Store, table: str, form: "paper.Form", only: str | None) -> str:
    """A published table and beside it everything that the store has measured, or the rows that `only` names: a variant, the
    name of scored videos, or experiment:variant.

    Raises UseError for an unknown table, patterns that nothing matches, and scores that were made differently.
    """
    from reports.tables.paper import nothing
    from reports.tables.paper import paper_table as table_of

    frames, about = [], {}
    for name in finished_reports(store.root):
        try:
            job = report_job(store, name)
            backbone, _ = backbone_of(job)
            rows = results_frame(job)
        except (UseError, ValueError) as error:  # of an older version, or its scores are damaged
            print(f"left out: {name}: {error}", file=sys.stderr)
            continue
        frames.append(rows)
        about[name] = backbone
    scored = scored_videos(store)
    frames += [one.rows(store) for one in scored]
    about |= {RECORDS: OTHERS} if scored else {}
    frame = joined(frames) if frames else nothing()
    if only is not None:
        frame = _rows_named(frame, only)
    try:
        return table_of(table, frame, about, form)
    except ValueError as error:
        raise UseError(str(error)) from error


def _rows_named(frame: "pd.DataFrame", patterns: str) -> "pd.DataFrame":
    """The rows whose variant, or experiment:variant, matches one of the patterns. Raises UseError for one that none matches."""
    full = frame["experiment"].astype(str) + ":" + frame["variant"].astype(str)
    names = set(matching(patterns, [*frame["variant"].unique(), *full.unique()], "row of ours"))
    return frame[frame["variant"].isin(names) | full.isin(names)]
