"""Which stages need not be computed, since their results come with the harness."""

from dataclasses import replace
from importlib import resources
from pathlib import Path

from harness.core.graph import Node
from harness.core.store import stage_name

ROOT = Path(str(resources.files("harness.shipped")))
CARD = "card.md"  # of a shipped stage: how it was made
FOLDER = "shipped"  # runtime setting of such a stage
UNPACK = "harness.stages.shipped:unpack"  # what takes it


def shipped_folder(kind: str, signature: str) -> Path:
    """Where the result of that stage is, or would be."""
    return ROOT / stage_name(kind, signature)


def taken(node: Node) -> Node:
    """The same stage, which takes its result from what is shipped where that is there, at no work."""
    folder = shipped_folder(node.kind, node.signature)
    if not (folder / CARD).is_file():  # it is written last
        return node
    return replace(node, target=UNPACK, runtime={**node.runtime, FOLDER: str(folder)}, work=0.0)
