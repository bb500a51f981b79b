"""`harness status`: what a store holds, and what is under way in it."""

import json

import click
from filelock import Timeout

from harness.commands.options import JSON, OPENED_STORE
from harness.core.store import PROGRESS, Store
from harness.run.slurm.status import JobState, job_states


@click.command()
@OPENED_STORE
@JSON
def status(store: Store, as_json: bool) -> None:
    """What the store holds: finished artifacts, and stages under way or cut short."""
    click.echo(store_status(store, as_json))


def store_status(store: Store, as_json: bool) -> str:
    """Finished artifacts by kind, and every partial stage with its progress and whether a process works on it."""
    kinds = sorted(p.name for p in (store.root / "artifacts").glob("*") if p.is_dir())
    finished = {kind: len(list(store.manifests(kind))) for kind in kinds}
    jobs = job_states(store)
    queued = {stage for stage, job in jobs.items() if job.waits}
    begun = {folder.name for folder in (store.root / "partial").glob("*-*")}
    partial = [_partial(store, stage, jobs.get(stage)) for stage in sorted(begun | queued)]
    if as_json:
        return json.dumps({"store": str(store.root), "finished": finished, "partial": partial}, indent=1)
    lines = [f"store {store.root}", *(f"  {kind:<10} {count} finished" for kind, count in finished.items())]
    for row in partial:
        waits = row["stage"] in queued
        state = "running" if row["running"] else "queued" if waits else "stopped; the same command goes on with it"
        begin = "not begun" if row["stage"] not in begun else "started"
        lines.append(f"  {row['stage']}  {row['progress'] or begin}  {state}")
        lines += [f"      {jobs[stage]}" for stage in jobs if stage == row["stage"]]
    return "\n".join([*lines, *([] if kinds or partial else ["  empty"])])


def _partial(store: Store, stage: str, job: JobState | None) -> dict[str, object]:
    """A stage that was begun or waits for Slurm: its progress, and whether a process works on it."""
    kind, _, signature = stage.rpartition("-")
    try:
        with store.lock(kind, signature).acquire(timeout=0):
            running = False
    except Timeout:
        running = True
    found = store.note(kind, signature, PROGRESS)
    text = f"{found['done']}/{found['total']} {found['unit']}s" if found else None
    return {"stage": stage, "progress": text, "running": running, "slurm": job.to_json() if job else None}
