"""What there is to do, before it is done: a graph of stages held against a store."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

from harness.core.graph import Graph, Node
from harness.core.signature import canonical
from harness.core.store import ELAPSED, ERROR, PROGRESS, Store
from harness.core.text import duration, table

State = Literal["cached", "partial", "missing"]
COMPARED = 32  # past artifacts of a kind that a missing stage is compared with: bounds the work, newest first
NAMED = 3  # differing settings that are spelled out
WIDE = 40  # characters of one value
Items = frozenset[tuple[str, str]]  # settings that can be compared as a set: name and canonical JSON


@dataclass(frozen=True)
class PlannedStage:
    """One stage in a plan: its state, why it is not cached, and the seconds that it may still take (None: unknown)."""

    node: Node
    labels: tuple[str, ...]
    state: State
    why: str
    estimate: float | None


@dataclass(frozen=True)
class Plan:
    """All stages with their states; `seconds` is the wall time of those whose time is known, with `jobs` slots."""

    rows: tuple[PlannedStage, ...]
    jobs: int
    seconds: float

    @classmethod
    def of(cls, graph: Graph, store: Store, jobs: int = 1) -> "Plan":
        """Hold the graph against the store."""
        pasts = {kind: _Past.of(store.manifests(kind)) for kind in {node.kind: None for node in graph}}
        rows = tuple(_row(node, graph.labels(node.signature), store, pasts[node.kind]) for node in graph)
        return cls(rows, jobs, _wall_seconds(rows, jobs))

    def count(self, state: State) -> int:
        """How many stages are in that state."""
        return sum(row.state == state for row in self.rows)

    @property
    def unknown(self) -> int:
        """How many stages still to run have no estimate."""
        return sum(row.state != "cached" and row.estimate is None for row in self.rows)

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
    """The plan as a plain text table with its totals below."""
    rows = [("stage", "for", "state", "time", "why")]
    for row in plan.rows:
        more = f" (+{len(row.labels) - 1})" if len(row.labels) > 1 else ""
        spent = "" if row.state == "cached" else "?" if row.estimate is None else duration(row.estimate)
        rows.append((row.node.kind, row.labels[0] + more, row.state, spent, row.why))
    counts = f"{plan.count('cached')} cached, {plan.count('partial')} partial, {plan.count('missing')} missing"
    time = f"about {duration(plan.seconds)} with {plan.jobs} {'job' if plan.jobs == 1 else 'jobs'}"
    if plan.unknown:
        time += f", and {plan.unknown} of unknown time (none of that kind has run yet)"
    return "\n".join([*table(rows), "", f"{len(plan.rows)} stages: {counts}; {time}"])


@dataclass(frozen=True)
class _Seen:
    """A finished artifact: its identity, and the same as a set of comparable items."""

    version: int
    identity: Mapping[str, Any]
    upstream: Mapping[str, Any]
    pace: float  # seconds a unit of work
    items: Items


@dataclass(frozen=True)
class _Past:
    """The finished artifacts of one kind, newest first."""

    by_identity: Mapping[Items, _Seen]
    newest: Sequence[_Seen]

    @classmethod
    def of(cls, manifests: Iterator[dict[str, Any]]) -> "_Past":
        newest = sorted(manifests, key=lambda m: str(m["created"]), reverse=True)
        seen = [
            _Seen(m["version"], m["identity"], m["upstream"], m["seconds"] / m["work"], _items(m["identity"]))
            for m in newest
        ]
        return cls({s.items: s for s in reversed(seen)}, seen[:COMPARED])

    def nearest(self, items: Items) -> list[_Seen]:
        """Those with the fewest differing settings, newest first; empty when there are none at all."""
        if same := self.by_identity.get(items):
            return [same]
        distances = [len(items ^ seen.items) for seen in self.newest]
        least = min(distances, default=0)
        return [seen for seen, distance in zip(self.newest, distances, strict=True) if distance == least]


def _items(identity: Mapping[str, Any]) -> Items:
    return frozenset((key, canonical(value)) for key, value in identity.items())


def _row(node: Node, labels: tuple[str, ...], store: Store, past: _Past) -> PlannedStage:
    if store.done(node.kind, node.signature):
        return PlannedStage(node, labels, "cached", "", 0.0)
    items = _items(node.identity) if past.newest else frozenset()
    nearest = past.nearest(items)
    estimate = median(seen.pace for seen in nearest) * node.work if nearest else None
    if store.partial(node.kind, node.signature).is_dir():
        why, remaining = _so_far(node, store, estimate)
        return PlannedStage(node, labels, "partial", why, remaining)
    return PlannedStage(
        node, labels, "missing", _difference(node, items, nearest[0]) if nearest else "first of its kind", estimate
    )


def _so_far(node: Node, store: Store, estimate: float | None) -> tuple[str, float | None]:
    """How far an earlier attempt came, and the seconds that remain at its pace."""
    progress, elapsed, error = (store.note(node.kind, node.signature, name) for name in (PROGRESS, ELAPSED, ERROR))
    why = f"{progress['unit']} {progress['done']}/{progress['total']}" if progress else "started"
    if error:
        why += f", failed: {error['message']}"
    if progress and elapsed and progress["done"]:
        return why, float(elapsed["seconds"]) * (progress["total"] / progress["done"] - 1)
    return why, estimate


def _difference(node: Node, items: Items, seen: _Seen) -> str:
    """What sets a stage apart from the nearest one that is cached."""
    differing = {key for key, _ in items ^ seen.items}
    keys = [key for key in {**node.identity, **seen.identity} if key in differing]
    changes = [f"{key} {_shown(seen.identity, key)} -> {_shown(node.identity, key)}" for key in keys[:NAMED]]
    if len(keys) > NAMED:
        changes.append(f"{len(keys) - NAMED} more settings")
    if node.version != seen.version:
        changes.append(f"version {seen.version} -> {node.version}")
    roles = {role for role, _ in _items(node.upstream) ^ _items(seen.upstream)}
    changes += [f"upstream {role} changed" for role in {**node.upstream, **seen.upstream} if role in roles]
    return ", ".join(changes)


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
