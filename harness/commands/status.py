"""`harness status`: what a store holds, and what is under way in it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import click

from harness.commands.options import JSON, OPENED_STORE
from harness.core.store import ARTIFACTS, LABEL, PARTIAL, PROGRESS, Store, split_name
from harness.core.usage import used
from harness.run.slurm.status import JobState, job_states
from svi.disk import size

NOTABLE = 0.02  # share of a store that is worth a word
NAMED = 12  # variants of a kind; a sweep makes hundreds


@click.command()
@OPENED_STORE
@JSON
def status(store: Store, as_json: bool) -> None:
    """What the store holds: finished artifacts, and stages under way or cut short."""
    click.echo(store_status(store, as_json))


def store_status(store: Store, as_json: bool) -> str:
    """Finished artifacts by kind, and every partial stage with its progress and whether a process works on it."""
    kinds = sorted(p.name for p in (store.root / ARTIFACTS).glob("*") if p.is_dir())
    finished = {kind: sorted(store.manifests(kind), key=lambda manifest: str(manifest["created"])) for kind in kinds}
    jobs = job_states(store)
    queued = {stage for stage, job in jobs.items() if job.waits}
    dropped = {stage for stage, job in jobs.items() if job.dropped}
    begun = {folder.name for folder in (store.root / PARTIAL).glob("*-*")}
    partial = [_partial(store, stage, jobs.get(stage)) for stage in sorted(begun | set(jobs))]
    sizes = _sizes(store)
    if as_json:
        counts = {kind: len(manifests) for kind, manifests in finished.items()}
        taken = {"store": used(store.root), **sizes}
        return json.dumps({"store": str(store.root), "bytes": taken, "finished": counts, "partial": partial}, indent=1)
    lines = [f"store {store.root}"]
    lines += [f"  {kind:<10} {len(made)} finished: {_variants(made)}" for kind, made in finished.items() if made]
    for row in partial:
        waits = row["stage"] in queued
        ended = "dropped, since what it needs failed" if row["stage"] in dropped else "stopped"
        state = "running" if row["running"] else "queued" if waits else f"{ended}; the same command goes on with it"
        begin = "not begun" if row["stage"] not in begun else "started"
        named = f"{row['label']}  " if row["label"] else ""
        lines.append(f"  {row['stage']}  {named}{row['progress'] or begin}  {state}")
        lines += [f"      {jobs[stage]}" for stage in jobs if stage == row["stage"]]
    holds = any(finished.values()) or partial
    return "\n".join([*lines, f"  takes {size(used(store.root))}{_told(sizes)}" if holds else "  empty"])


def _sizes(store: Store) -> dict[str, int]:
    """Bytes of what takes most: finished stages by kind, stages under way, and the other folders; the largest first."""
    kinds = {path.name: path for path in (store.root / ARTIFACTS).glob("*")}
    folders = {path.name: path for path in store.root.iterdir() if path.is_dir() and path.name != ARTIFACTS}
    found = {name: used(path) for name, path in {**folders, **kinds}.items()}
    return dict(sorted(found.items(), key=lambda one: -one[1]))


def _told(sizes: Mapping[str, int]) -> str:
    """The largest, such as ": train 1.2 GB, generate 300.0 MB"."""
    largest = [f"{name} {size(taken)}" for name, taken in sizes.items() if taken >= NOTABLE * sum(sizes.values())]
    return f": {', '.join(largest)}" if largest else ""


def _variants(manifests: Sequence[Mapping[str, Any]]) -> str:
    """Whose stages they are, each variant once, in the order they were made."""
    names = list(dict.fromkeys(str(manifest["label"]).partition(",")[0] for manifest in manifests))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def _partial(store: Store, stage: str, job: JobState | None) -> dict[str, object]:
    """A stage that was begun or waits for Slurm: its progress, and whether a process works on it."""
    kind, signature = split_name(stage)
    found, label = store.note(kind, signature, PROGRESS), store.note(kind, signature, LABEL)
    return {
        "stage": stage,
        "label": label["label"] if label else job.label if job else None,
        "progress": f"{found['done']}/{found['total']} {found['unit']}s" if found else None,
        "running": store.busy(kind, signature),
        "slurm": job.to_json() if job else None,
    }
