"""`harness cancel`: the only thing that ever cancels a job."""

from collections.abc import Callable, Sequence

from harness.core.errors import UseError
from harness.core.store import Store
from harness.run.slurm import queue
from harness.run.slurm.records import JobRecord, unfinished

SHORTEST = 4  # hex digits of a signature that may stand for it


def cancel_jobs(store: Store, names: Sequence[str], say: Callable[[str], None]) -> None:
    """Cancel experiments' jobs, but for those that one not named wants too; a stage's; a job or an array by its id.

    Raises UseError for a name that stands for nothing, before anything is cancelled.
    """
    try:
        jobs = queue.look()
    except queue.QueueError as error:
        raise UseError(f"{error}; nothing was cancelled") from error
    active: dict[str, JobRecord] = {}
    for record in unfinished(store):
        seen = record.seen(jobs)
        if seen is not None and seen.active:
            active[seen.job] = record
    chosen: dict[str, JobRecord] = {}
    for name in names:
        chosen |= _named(name, names, active)
    for job, record in active.items():
        others = [experiment for experiment in record.experiments if experiment not in names]
        if job not in chosen and len(others) < len(record.experiments):
            wanting = f"{others[0]} wants" if len(others) == 1 else f"{', '.join(others)} want"
            say(f"left: Slurm job {job}, {record.stage}, which {wanting} too; name the stage to cancel it all the same")
    if chosen:
        try:
            queue.cancel(chosen)
        except queue.QueueError as error:
            raise UseError(f"{error}; `harness status --store {store.root}` says what still runs") from error
    for job, record in chosen.items():
        say(f"cancelled: Slurm job {job}, {record.kind} {record.label}")


def _named(name: str, names: Sequence[str], active: dict[str, JobRecord]) -> dict[str, JobRecord]:
    """What one of the names stands for; of an experiment, what none but those named want."""
    exact = {job: record for job, record in active.items() if name in (job, job.partition("_")[0], record.stage)}
    if exact:
        return exact
    digits = name.rpartition("-")[2]
    begun = {job: record for job, record in active.items() if record.stage.startswith(name) and "-" in name}
    if begun and len(digits) >= SHORTEST:
        if len(begun) > 1:
            raise UseError(f"{name} may be {', '.join(r.stage for r in begun.values())}; give more of it")
        return begun
    wanted = {job: record for job, record in active.items() if name in record.experiments}
    if not wanted:
        known = [f"{record.stage} (Slurm job {job})" for job, record in active.items()]
        known += dict.fromkeys(experiment for record in active.values() for experiment in record.experiments)
        raise UseError(
            f"{name}: no Slurm job under way has this name; expected one of: {', '.join(known) or 'none is under way'}. "
            "Nothing was cancelled"
        )
    return {job: record for job, record in wanted.items() if set(record.experiments) <= set(names)}
