"""A graph of stages: what each depends on, and in which order they stand."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from harness.core.signature import signature
from harness.core.store import SIGNATURE_DIGITS


@dataclass(frozen=True, eq=False)
class Node:
    """One stage to run: what its result depends on, what it does not, and the function that makes it.

    `upstream` maps a role to the signature, or signatures, of other nodes; `target` is "module:function", called with a
    Job. `launcher` is a command that starts a module in `ranks` processes; None for one process. Higher priorities run
    first. Time is taken to grow with `work`, in any unit that stages share which are made alike.
    """

    kind: str
    version: int
    label: str
    identity: dict[str, Any]
    runtime: dict[str, Any]
    upstream: dict[str, str | tuple[str, ...]]
    target: str
    ranks: int = 1
    priority: int = 0
    work: float = 1.0
    launcher: tuple[str, ...] | None = None

    @cached_property
    def signature(self) -> str:
        """SHA-256 hex digest of kind, version, identity and upstream."""
        return signature(self.kind, self.version, self.identity, self.upstream)

    @property
    def name(self) -> str:
        """What it is called: "train full, seed 0", "report of bank_size"."""
        return self.label if self.label.startswith(f"{self.kind} ") else f"{self.kind} {self.label}"

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Signatures of all upstream nodes, each once."""
        groups = [(value,) if isinstance(value, str) else value for value in self.upstream.values()]
        return tuple(dict.fromkeys(s for group in groups for s in group))

    def fields(self) -> dict[str, Any]:
        """As plain values, from which `Node(**fields)` is the same node."""
        return asdict(self)


class Graph:
    """Nodes in an order in which each stands after what it needs; a stage that several rows share is one node."""

    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._labels: dict[str, dict[str, None]] = {}

    def add(self, node: Node) -> None:
        """Add a node, or another label of a known one. Raises ValueError when something it needs has not been added."""
        if unknown := [s for s in node.needs if s not in self._nodes]:
            raise ValueError(
                f"{node.kind} {node.label!r} needs {unknown[0][:SIGNATURE_DIGITS]}, which is not in the graph; add that first"
            )
        self._nodes.setdefault(node.signature, node)
        self._labels.setdefault(node.signature, {})[node.label] = None

    def __iter__(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def __len__(self) -> int:
        return len(self._nodes)

    def __getitem__(self, signature: str) -> Node:
        return self._nodes[signature]

    def upto(self, signatures: Iterable[str]) -> "Graph":
        """These nodes and all that they stand on."""
        wanted, open_ = set(), list(signatures)
        while open_:
            if (signature := open_.pop()) not in wanted:
                wanted.add(signature)
                open_ += self._nodes[signature].needs
        part = Graph()
        for signature, node in self._nodes.items():
            if signature in wanted:
                part._nodes[signature], part._labels[signature] = node, self._labels[signature]
        return part

    def labels(self, signature: str) -> tuple[str, ...]:
        """Labels of all that share the node."""
        return tuple(self._labels[signature])
