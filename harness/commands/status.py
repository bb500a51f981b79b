"""`harness status`: what a store holds, and what is under way in it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click
from filelock import Timeout

from harness.commands.options import JSON, OPENED_STORE
from harness.core.store import LABEL, PROGRESS, Store
from harness.run.slurm.status import JobState, job_states

NAMED = 12  # variants of a kind; a sweep makes hundreds


@click.command()
@OPENED_STORE
@JSON
def status(store: Store, as_json: bool) -> None:
    """What the store holds: finished artifacts, and stages under way or cut short."""
    click.echo(store_status(store, as_json))


def store_status(store: Store, as_json: bool) -> str:
    """Finished artifacts by kind, and every partial stage with its progress and whether a process works on it."""
    kinds = sorted(p.name for p in (store.root / "artifacts").glob("*") if p.is_dir())
    finished = {kind: sorted(store.manifests(kind), key=lambda manifest: str(manifest["created"])) for kind in kinds}
    jobs = job_states(store)
    queued = {stage for stage, job in jobs.items() if job.waits}
    begun = {folder.name for folder in (store.root / "partial").glob("*-*")}
    partial = [_partial(store, stage, jobs.get(stage)) for stage in sorted(begun | queued)]
    if as_json:
        counts = {kind: len(manifests) for kind, manifests in finished.items()}
        return json.dumps({"store": str(store.root), "finished": counts, "partial": partial}, indent=1)
    lines = [f"store {store.root}"]
    lines += [f"  {kind:<10} {len(made)} finished: {_variants(made)}" for kind, made in finished.items() if made]
    for row in partial:
        waits = row["stage"] in queued
        state = "running" if row["running"] else "queued" if waits else "stopped; the same command goes on with it"
        begin = "not begun" if row["stage"] not in begun else "started"
        named = f"{row['label']}  " if row["label"] else ""
        lines.append(f"  {row['stage']}  {named}{row['progress'] or begin}  {state}")
        lines += [f"      {jobs[stage]}" for stage in jobs if stage == row["stage"]]
    return "\n".join([*lines, *([] if any(finished.values()) or partial else ["  empty"])])


def _variants(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Whose stages they are, each variant once, in the order they were made."""
    names = list(dict.fromkeys(str(manifest["label"]).partition(",")[0] for manifest in manifests))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _partial(store: Store, stage: str, job: JobState | None) -> dict[str, object]:
    """A stage that was begun or waits for Slurm: its progress, and whether a process works on it."""
    kind, _, signature = stage.rpartition("-")
    try:
        with store.lock(kind, signature).acquire(timeout=0):
            running = False
    except Timeout:
        running = True
    found, label = store.note(kind, signature, PROGRESS), store.note(kind, signature, LABEL)
    return {
        "stage": stage,
        "label": label["label"] if label else job.label if job else None,
        "progress": f"{found['done']}/{found['total']} {found['unit']}s" if found else None,
        "running": running,
        "slurm": job.to_json() if job else None,
    }
