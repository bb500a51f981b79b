"""Jobs as `harness status` shows them."""

from dataclasses import asdict, dataclass
from typing import Any

from harness.core.errors import UseError
from harness.core.store import Store
from harness.run.slurm import queue
from harness.run.slurm.records import unfinished

NEVER = "DependencyNeverSatisfied"


@dataclass(frozen=True)
class JobState:
    """The last job of a stage that is not done: `state` as Slurm calls it, `why` it is in it, the `node` it runs on."""

    job: str
    label: str
    state: str
    why: str
    node: str
    log: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        why = f" ({self.why})" if self.why else ""
        node = f" on {self.node}" if self.node else ""
        return f"Slurm job {self.job}, {self.label}: {self.state}{why}{node}; log {self.log}"

    @property
    def dropped(self) -> bool:
        """Whether Slurm dropped it, since what it needed failed."""
        return self.state == "CANCELLED" and self.why == NEVER

    @property
    def waits(self) -> bool:
        """Whether it will begin, or go on."""
        return self.state in queue.ACTIVE


def job_states(store: Store) -> dict[str, JobState]:
    """By stage; asks Slurm only where stages were submitted that are not done."""
    records = list(unfinished(store))
    if not records:
        return {}
    try:
        jobs, problem = queue.look(), ""
    except (queue.QueueError, UseError) as error:
        jobs, problem = {}, str(error)
    found = {}
    for record in records:
        seen = record.seen(jobs)
        if seen is not None:
            why = "" if seen.reason == "None" else seen.reason
            shown = (seen.job, record.label, seen.state, why, seen.node)
        else:
            state = "UNKNOWN" if problem or record.job is None else queue.accounted(record.job)
            shown = (record.job or "not submitted", record.label, state, problem, "")
        found[record.stage] = JobState(*shown, log=str(record.log(store)))
    return found
