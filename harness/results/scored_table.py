"""Tables of scored videos side by side: those that were made and scored alike."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from benchmarks.track import PAPER_CLIP_SECONDS
from harness.core.provenance import facts
from harness.core.store import Store
from harness.results.frame import joined
from harness.results.scored_videos import OTHERS, RECORDS, ScoredVideos

if TYPE_CHECKING:
    import pandas as pd

    from reports.statistics.info import ReportInfo


def scored_table(store: Store, record: ScoredVideos, others: Sequence[ScoredVideos]) -> str:
    """Markdown: the record's row, and those of `others` that were made and scored alike; says which were not, and why."""
    from reports.statistics.view import ReportView
    from reports.tables.agreement import agreement
    from reports.tables.owners import owners_grids
    from reports.tables.text import markdown, markdown_grid

    own = record.rows(store)
    rows, kept, notes, drifts = own, [record.name], [], [record.drifts(store)]
    for other in others:
        more = joined([rows, other.rows(store)])
        if reason := _why_refused(more, [*kept, other.name], record):
            notes.append(f"{other.name} is left out. {reason}")
        else:
            rows, kept, drifts = more, [*kept, other.name], [*drifts, other.drifts(store)]
    if record.by_name:
        notes.append("Nothing says which samples these are (--samples): lists compare by the files' names alone.")
    view = ReportView.of(rows, replace(_table_info(rows, kept, record), drifts=joined(drifts)))
    owners = [f"{markdown_grid(grid)}\n" for one in view.tracks for grid in owners_grids(one)]
    parts = [markdown(view), *owners, agreement(own), "\n".join(f"- {note}" for note in notes)]
    return "\n".join(part for part in parts if part)


def _why_refused(rows: "pd.DataFrame", names: Sequence[str], record: ScoredVideos) -> str:
    """Why these rows may not share a table; empty where they may."""
    from reports.statistics.frame import validated

    try:
        validated(rows, _table_info(rows, names, record))
    except ValueError as error:
        return str(error)
    return ""


def _table_info(rows: "pd.DataFrame", names: Sequence[str], record: ScoredVideos) -> "ReportInfo":
    """What a table of scored videos is told about itself: `names` are its variants, the record's the baseline."""
    from reports.statistics.info import ReportInfo

    nothing: Mapping[str, Any] = {}
    return ReportInfo(
        experiment=RECORDS,
        question=f"How do these videos fare on {record.track}?",
        profile="none",
        backbone=OTHERS,
        baseline=record.name,
        variants=dict.fromkeys(names, nothing),
        tracks=[record.track],
        seeds=[0],
        compare_to=(),
        caption="Each row was made by another method; nothing is known here of how.",
        provenance=facts(),
        reproduce=record.command,
        videos={},
        frames={},
        costs={},
        fps=float(rows["fps"].iloc[0]),
        clip_seconds=PAPER_CLIP_SECONDS,
        trained=False,
    )
