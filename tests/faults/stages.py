"""Whole stages of a small run, each interfered with in a store that holds all before it."""

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from harness.core.checksums import FILES
from harness.core.graph import Graph, Node
from harness.core.store import Store, read_manifest
from harness.declare.request import Request
from harness.declare.spec import parse_overrides, select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import build
from harness.run.worker import run_job
from tests.faults.command import WORDS
from tests.faults.layer import in_child
from tests.faults.part import MEMORY, Part, Result
from tests.faults.store import whole
from tests.undrawn import undrawn


@contextmanager
def stage_parts() -> Iterator[Sequence[Part]]:
    """One of each kind of the smallest whole command (tests/faults/command.py)."""
    with tempfile.TemporaryDirectory(prefix="faults-run-", dir=MEMORY) as scratch:
        root = Path(scratch) / "prepared" / "store"
        stages = _graph(root)
        for node in stages:
            import_module(node.target.partition(":")[0])  # else each child spends most of its time on that
        end = in_child(lambda: [_make(root, node) for node in stages], root.parent)
        assert end.code == 0, end.said
        kinds = {node.kind: node for node in stages}
        yield [_part(root, node) for node in kinds.values()]


def _graph(root: Path) -> Graph:
    """Its stages, in the order in which they can be carried out."""
    experiment = select(EXPERIMENTS.get("ablation_eimg"), "full").model_copy(update={"tracks": ("consistent-50s",)})
    root.mkdir(parents=True, exist_ok=True)
    asked = Request(experiment, "ablation_eimg", "tiny", (), parse_overrides(WORDS))
    return build(asked, root / "fingerprints.json").graph


def _part(root: Path, node: Node) -> Part:
    def prepare(folder: Path) -> None:
        """Everything but the stage itself and what follows it, which is not looked at."""
        shutil.copytree(root, folder / "store", symlinks=True)
        shutil.rmtree(Store(folder / "store").artifact(node.kind, node.signature))

    def result(folder: Path) -> Result:
        sums = read_manifest(Store(folder / "store").artifact(node.kind, node.signature))[FILES]
        return {name: str(about[-1]) for name, about in sums.items()}

    return Part(f"stage {node.kind}", lambda folder: _make(folder / "store", node), result, prepare, whole)


def _make(root: Path, node: Node) -> None:
    with undrawn():  # the figures' files are written all the same
        run_job(str(root), node.fields(), {})
