"""A whole graph into Slurm's queue at once: what waits for what is said in dependencies, and nobody looks after it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.core.errors import UseError
from harness.core.graph import Graph, Node
from harness.core.job import StageError
from harness.core.store import Store
from harness.run.slurm import queue
from harness.run.slurm.records import record_of
from harness.run.slurm.submission import Submitter, queue_lock


class Room:
    """`slurm.at_once` without anybody to count: each part of the room is free, or will be when a job has ended."""

    def __init__(self, ranks: int) -> None:
        """All of it is free."""
        self._all = ranks
        self._parts: list[tuple[str | None, int]] = [(None, ranks)]

    def take(self, ranks: int) -> list[str]:
        """Room for so many ranks, or all there is; the jobs that must have ended before. `hold` says who has it."""
        left, after = min(ranks, self._all), list[str]()
        while left:
            job, size = self._parts.pop(0)
            if size > left:
                self._parts.insert(0, (job, size - left))
            left -= min(size, left)
            after += [job] if job else []
        return list(dict.fromkeys(after))

    def hold(self, job: str, ranks: int) -> None:
        """What was taken is this job's until it ends."""
        self._parts.append((job, min(ranks, self._all)))


def detach(submitter: Submitter, graph: Graph, store: Store) -> int:
    """Submit all that is not done, each stage to begin when those before it are done; says what to do next. Returns 0.

    Stages of a kind that wait for the same jobs, or each for its own one of an array, are one array. Raises UseError when Slurm
    does not take one of them.
    """
    detached = _Detached(submitter, store)
    name = submitter.experiment
    try:
        with queue_lock(store):
            detached.submit(graph)
    except (StageError, queue.QueueError) as error:
        raise UseError(
            f"{error}. {len(detached.jobs)} of {len(graph)} stages have a job, which go on; the same command submits the rest, "
            f"and harness cancel {name} --store {store.root} cancels them"
        ) from error
    jobs, picked = len(detached.jobs), detached.picked
    submitter.say(f"{jobs - picked} jobs submitted, {picked} under way already, {len(graph) - jobs} stages done")
    submitter.say(
        f"harness status --store {store.root} shows them; the same command without --detach follows them and reports"
    )
    submitter.say(f"harness cancel {name} --store {store.root} cancels them")
    return 0


class _Detached:
    """`jobs` has the job of each stage that is not done, by signature; `picked` of them were under way before."""

    def __init__(self, submitter: Submitter, store: Store) -> None:
        self._submitter, self._store = submitter, store
        self._room = Room(submitter.settings.at_once)
        self._tasks: dict[str, int] = {}  # how many an array has that was submitted here
        self.jobs: dict[str, str] = {}
        self.picked = 0

    def submit(self, graph: Graph) -> None:
        """Raises StageError when sbatch refuses, QueueError when Slurm does not answer."""
        todo = [node for node in graph if not self._store.done(node.kind, node.signature)]
        self._pick_up(todo)
        todo = [node for node in todo if node.signature not in self.jobs]
        while todo:
            open_ = {node.signature for node in todo}
            ready = [node for node in todo if open_.isdisjoint(node.needs)]
            for group in self._submitter.group(ready):
                for nodes, after in self._arrays(group):
                    self._send(nodes, after)
            todo = [node for node in todo if node.signature not in self.jobs]

    def _pick_up(self, nodes: Iterable[Node]) -> None:
        seen = queue.look()
        for node in nodes:
            record = record_of(self._store, node.kind, node.signature)
            found = record.seen(seen) if record else None
            if record and found and found.active and found.state != "COMPLETING":
                self.jobs[node.signature] = str(self._submitter.claim(self._store, record, found.job).job)
                self._room.take(node.ranks)
                self._room.hold(found.job, node.ranks)
                self.picked += 1

    def _arrays(self, group: Sequence[Node]) -> Iterator[tuple[list[Node], dict[str, list[str]]]]:
        """Stages of a kind that can be one submission, and the jobs they wait for by kind of dependency."""
        needed = {node.signature: frozenset(self.jobs[one] for one in node.needs if one in self.jobs) for node in group}
        rest = list(group)
        for array, others, nodes in self._in_step(rest, needed):
            yield nodes, {"afterok": sorted(others), "aftercorr": [array]}
            rest = [node for node in rest if node not in nodes]
        same: dict[frozenset[str], list[Node]] = {}
        for node in rest:
            same.setdefault(needed[node.signature], []).append(node)
        for jobs, nodes in same.items():
            yield nodes, {"afterok": sorted(jobs)}

    def _in_step(
        self, group: Sequence[Node], needed: Mapping[str, frozenset[str]]
    ) -> Iterator[tuple[str, frozenset[str], list[Node]]]:
        """Stages of which the i-th waits for the i-th task of an array, and all of them for some `others`."""
        found: dict[tuple[str, frozenset[str], int], list[Node]] = {}
        often: dict[tuple[str, frozenset[str]], int] = {}
        for node in group:
            jobs = needed[node.signature]
            tasks = [job for job in jobs if job.partition("_")[0] in self._tasks]
            if len(tasks) == 1:
                turn = often.get((tasks[0], jobs), 0)  # such as of several tracks
                often[tasks[0], jobs] = turn + 1
                found.setdefault((tasks[0].partition("_")[0], jobs - {tasks[0]}, turn), []).append(node)
        for (array, others, _), nodes in found.items():
            own = [next(iter(needed[node.signature] - others)) for node in nodes]
            if own == [f"{array}_{index}" for index in range(self._tasks[array])]:
                yield array, others, nodes

    def _send(self, nodes: Sequence[Node], after: Mapping[str, Sequence[str]]) -> None:
        ranks = nodes[0].ranks * min(len(nodes), max(1, self._submitter.settings.at_once // nodes[0].ranks))
        waits = {**after, "afterany": [job for job in self._room.take(ranks) if job not in after["afterok"]]}
        shown = ",".join(f"{kind}:{':'.join(jobs)}" for kind, jobs in waits.items() if jobs)
        sent = self._submitter.send(self._store, nodes, shown)
        self.jobs.update({node.signature: str(record.job) for node, record in zip(nodes, sent, strict=True)})
        submission = str(sent[0].job).partition("_")[0]
        self._room.hold(submission, ranks)
        if len(nodes) > 1:
            self._tasks[submission] = len(nodes)
