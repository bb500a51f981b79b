"""Tables of scored videos side by side, and the paper's tables with all that the store holds."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.track import PAPER_CLIP_SECONDS
from harness.commands.run import latest_report
from harness.core.errors import UseError
from harness.core.provenance import facts
from harness.core.store import Store
from harness.declare.profiles import PROFILES
from harness.declare.spec import matching
from harness.results.frame import joined, results_frame
from harness.results.records import RECORDS, Record, records
from harness.run.worker import Job

if TYPE_CHECKING:
    import pandas as pd

    from reports.statistics.info import ReportInfo
    from reports.tables import paper

OTHERS = "videos of other methods, scored as they are"


def scored_table(store: Store, record: Record, others: Sequence[Record]) -> str:
    """Markdown: the record's row, and those of `others` that were made and scored alike; says which were not, and why."""
    from reports.statistics.summary import summarise
    from reports.tables.agreement import judged
    from reports.tables.text import markdown

    own = record.rows(store)
    rows, kept, notes = own, [record.name], []
    for other in others:
        more = joined([rows, other.rows(store)])
        if reason := _refused(more, [*kept, other.name], record):
            notes.append(f"{other.name} is left out. {reason}")
        else:
            rows, kept = more, [*kept, other.name]
    if record.by_name:
        notes.append("Nothing says which samples these are (--samples): lists compare by the files' names alone.")
    info = _info(rows, kept, record)
    parts = [markdown(summarise(rows, info), info), judged(own), "\n".join(f"- {note}" for note in notes)]
    return "\n".join(part for part in parts if part)


def paper_table(store: Store, table: str, form: "paper.Form", only: str | None) -> str:
    """A published table and beside it everything that the store has measured, or the rows that `only` names: a variant, the
    name of scored videos, or experiment:variant.

    Raises UseError for an unknown table, patterns that nothing matches, and scores that were made differently.
    """
    from reports.tables.paper import nothing
    from reports.tables.paper import paper_table as table_of

    frames, about = [], {}
    for name in _reports(store):
        try:
            job = report_job(store, name)
        except UseError as error:
            print(f"left out: {error}", file=sys.stderr)
            continue
        frames.append(results_frame(job))
        about[name] = PROFILES.get(job.settings["profile"]).backbone
    scored = records(store)
    frames += [one.rows(store) for one in scored]
    about |= {RECORDS: OTHERS} if scored else {}
    frame = joined(frames) if frames else nothing()
    if only is not None:
        frame = _only(frame, only)
    try:
        return table_of(table, frame, about, form)
    except ValueError as error:
        raise UseError(str(error)) from error


def _only(frame: "pd.DataFrame", patterns: str) -> "pd.DataFrame":
    full = frame["experiment"].astype(str) + ":" + frame["variant"].astype(str)
    names = set(matching(patterns, [*frame["variant"].unique(), *full.unique()], "row of ours"))
    return frame[frame["variant"].isin(names) | full.isin(names)]


def _refused(rows: "pd.DataFrame", names: Sequence[str], record: Record) -> str:
    """Why these rows may not share a table; empty where they may."""
    from reports.statistics.frame import validated

    try:
        validated(rows, _info(rows, names, record))
    except ValueError as error:
        return str(error)
    return ""


def _info(rows: "pd.DataFrame", names: Sequence[str], record: Record) -> "ReportInfo":
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


def _reports(store: Store) -> list[str]:
    return sorted(path.name for path in (store.root / "reports").glob("*") if (path / "report.md").is_file())


def report_job(store: Store, experiment: str) -> Job:
    """The newest report's job as it was run, from its manifest."""
    folder = Path(latest_report(store.root, experiment)).resolve()
    manifest = store.manifest("report", folder.name)
    if "scored" not in manifest["identity"]:
        raise UseError(f"the report of {experiment} is of an older version; `harness run {experiment}` makes it anew")
    inputs = {role: [store.find(one) for one in found] for role, found in manifest["upstream"].items()}
    command = folder / "reproduce.txt"
    told = {
        "command": command.read_text(encoding="utf-8").strip() if command.is_file() else f"harness run {experiment}"
    }
    return Job("report", folder, {**manifest["identity"], **told}, inputs, lambda *_: None, first_rank=True)
