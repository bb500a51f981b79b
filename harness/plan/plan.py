"""What there is to do, before it is done: a graph of stages held against a store."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal

from harness.core.errors import UseError
from harness.core.graph import Graph, Node
from harness.core.signature import canonical
from harness.core.store import ERROR, PROGRESS, Store, read_manifest
from harness.core.text import duration, table
from harness.plan.estimate import Items, Measured, estimate, items, measured, shipped, sizes

State = Literal["cached", "partial", "missing"]
COMPARED = 32  # past artifacts of a kind that a missing stage is compared with: bounds the work, newest first
NAMED = 3  # differing settings that are spelled out
WIDE = 40  # characters of one value


@dataclass(frozen=True)
class PlannedStage:
    """One stage in a plan: its state, why it is not cached, and the seconds that it may still take (None: unknown), where `shipped`
    by another machine's."""

    node: Node
    labels: tuple[str, ...]
    state: State
    why: str
    estimate: float | None
    shipped: bool = False


@dataclass(frozen=True)
class Plan:
    """All stages with their states; `seconds` is the wall time of those whose time is known, with `jobs` slots."""

    rows: tuple[PlannedStage, ...]
    jobs: int
    seconds: float

    @classmethod
    def of(cls, graph: Graph, store: Store, jobs: int = 1, embedded: bool = False) -> "Plan":
        """Hold the graph against the store; `embedded`: all of it is of the embedded model, whose timings are shipped."""
        pasts = {
            kind: _Past.of(store.manifests(kind), shipped(kind) if embedded else (), store)
            for kind in {node.kind: None for node in graph}
        }
        rows = tuple(_row(node, graph, store, pasts[node.kind]) for node in graph)
        return cls(rows, jobs, _wall_seconds(rows, jobs))

    def count(self, state: State) -> int:
        """How many stages are in that state."""
        return sum(row.state == state for row in self.rows)

    @property
    def unknown(self) -> int:
        """How many stages still to run have no estimate."""
        return sum(row.state != "cached" and row.estimate is None for row in self.rows)

    @property
    def shipped(self) -> bool:
        """Whether another machine took some of the times."""
        return any(row.shipped for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """The plan as plain values, for `--json`."""
        rows = [
            {
                "kind": row.node.kind,
                "signature": row.node.signature,
                "labels": list(row.labels),
                "state": row.state,
                "why": row.why,
                "seconds": row.estimate,
            }
            for row in self.rows
        ]
        return {
            "stages": rows,
            "cached": self.count("cached"),
            "partial": self.count("partial"),
            "missing": self.count("missing"),
            "unknown": self.unknown,
            "jobs": self.jobs,
            "seconds": self.seconds,
        }


def render(plan: Plan) -> str:
    """The plan as a plain text table, a row a stage."""
    rows = [("stage", "for", "state", "time", "why")]
    for row in plan.rows:
        more = f" (+{len(row.labels) - 1})" if len(row.labels) > 1 else ""
        spent = "" if row.state == "cached" else "?" if row.estimate is None else duration(row.estimate)
        rows.append((row.node.kind, row.labels[0] + more, row.state, spent, row.why))
    return "\n".join(table(rows))


def totals(plan: Plan) -> str:
    """How much there is, how much of it is done, and how long the rest may take."""
    states: dict[State, str] = {"cached": "done", "partial": "begun", "missing": "not begun"}
    counts = ", ".join(f"{plan.count(state)} {word}" for state, word in states.items() if plan.count(state))
    if not plan.count("partial") + plan.count("missing"):
        return f"{len(plan.rows)} stages, all done"
    time = f"about {duration(plan.seconds)} with {plan.jobs} {'job' if plan.jobs == 1 else 'jobs'}"
    if plan.unknown == plan.count("partial") + plan.count("missing"):
        time = "nothing like them has run yet, so no run tells how long they take"
    elif plan.unknown:
        time += f", and {plan.unknown} of unknown time: nothing like them has run yet"
    return f"{len(plan.rows)} stages: {counts}; {time}"


@dataclass(frozen=True)
class _Seen:
    """A finished artifact: its identity, and the same as a set of comparable items."""

    version: int
    identity: Mapping[str, Any]
    upstream: Mapping[str, Any]
    items: Items
    measured: Measured | None


@dataclass(frozen=True)
class _Past:
    """The finished artifacts of one kind, newest first, and what such stages took elsewhere."""

    by_identity: Mapping[Items, _Seen]
    newest: Sequence[_Seen]
    shipped: Sequence[Measured]

    @classmethod
    def of(cls, manifests: Iterator[dict[str, Any]], shipped: Sequence[Measured], store: Store) -> "_Past":
        newest = sorted(manifests, key=lambda m: str(m["created"]), reverse=True)
        seen = [_seen(m, store if n < COMPARED else None) for n, m in enumerate(newest)]
        return cls({s.items: s for s in reversed(seen)}, seen[:COMPARED], shipped)


def _seen(manifest: dict[str, Any], store: Store | None) -> _Seen:
    """`store` where its time is asked for."""
    identity, upstream = manifest["identity"], manifest["upstream"]
    films: Items = frozenset()
    if store is not None and not sizes(identity):
        films = sizes(*_upstream(store, upstream))
    return _Seen(manifest["version"], identity, upstream, items(identity), measured(manifest, films=films))


def _upstream(store: Store, upstream: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The settings of finished stages whose role is their kind; without those that are gone, or cannot be read."""
    for role, given in upstream.items():
        for signature in [given] if isinstance(given, str) else given[:1]:
            with suppress(UseError, OSError):
                yield read_manifest(store.artifact(role, signature))["identity"]


def _row(node: Node, graph: Graph, store: Store, past: _Past) -> PlannedStage:
    labels = graph.labels(node.signature)
    if store.done(node.kind, node.signature):
        return PlannedStage(node, labels, "cached", "", 0.0)
    mine = items(node.identity) if past.newest or past.shipped else frozenset()
    here = [(mine ^ seen.items, seen) for seen in past.newest]
    films = frozenset() if sizes(node.identity) else sizes(*(graph[one].identity for one in node.needs))
    times = [(differing, seen.measured) for differing, seen in here if seen.measured is not None]
    times += [(one.differs(mine), one) for one in past.shipped]
    found = estimate(node.work, [(differing | (films ^ one.films), one) for differing, one in times])
    seconds, elsewhere = (found.seconds, found.shipped) if found else (None, False)
    if store.partial(node.kind, node.signature).is_dir():
        why, remaining = _so_far(node, store, seconds)
        return PlannedStage(node, labels, "partial", why, remaining, elsewhere and remaining == seconds)
    same = past.by_identity.get(mine)
    nearest = same or min(here, key=lambda pair: len(pair[0]), default=(None, None))[1]
    why = _difference(node, mine, nearest) if nearest else "not run yet"
    return PlannedStage(node, labels, "missing", why, seconds, elsewhere)


def _so_far(node: Node, store: Store, estimate: float | None) -> tuple[str, float | None]:
    """How far an earlier attempt came, and the seconds that remain at the pace of its units."""
    progress, error = (store.note(node.kind, node.signature, name) for name in (PROGRESS, ERROR))
    where = f"at {progress['unit']} {progress['done']} of {progress['total']}" if progress else ""
    why = f"{f'failed {where}'.rstrip()}: {error['message']}" if error else where or "begun"
    if progress and progress.get("pace") is not None and not progress.get("then"):
        return why, progress["pace"] * (progress["total"] - progress["done"])
    return why, estimate


def _difference(node: Node, mine: Items, seen: _Seen) -> str:
    """What sets a stage apart from the nearest one that is cached."""
    differing = {key for key, _ in mine ^ seen.items}
    keys = [key for key in {**node.identity, **seen.identity} if key in differing]
    changes = [f"{key} is {_shown(node.identity, key)}, not {_shown(seen.identity, key)}" for key in keys[:NAMED]]
    if len(keys) > NAMED:
        changes.append(f"{len(keys) - NAMED} more settings differ")
    if node.version != seen.version:
        changes.append(f"computed by version {node.version}, not {seen.version}")
    roles = {role for role, _ in items(node.upstream) ^ items(seen.upstream)}
    changes += [f"its {role} is another one" for role in {**node.upstream, **seen.upstream} if role in roles]
    return "; ".join(changes)


def _shown(identity: Mapping[str, Any], key: str) -> str:
    if key not in identity:
        return "unset"
    text = canonical(identity[key])
    return text if len(text) <= WIDE else f"{text[: WIDE - 3]}..."


def _wall_seconds(rows: Sequence[PlannedStage], jobs: int) -> float:
    """No schedule is faster than the longest chain, nor than all work shared equally; good ones come near."""
    finish: dict[str, float] = {}
    for row in rows:
        finish[row.node.signature] = (row.estimate or 0.0) + max((finish[s] for s in row.node.needs), default=0.0)
    return max([sum(row.estimate or 0.0 for row in rows) / jobs, *finish.values()])
