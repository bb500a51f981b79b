"""The stages of one variant up to its films, carried out in this process: no scores, no report."""

from pathlib import Path

from harness.core.store import Store
from harness.declare.request import Request
from harness.declare.spec import parse_overrides, select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import build
from harness.run.worker import run_job
from tests.harness.small import SMALL

TRAINED = ("backbone", "data", "train")
FILMS = (*TRAINED, "errors", "generate")


def made(store: Path, *words: str, only: str = "full", kinds: tuple[str, ...] = FILMS) -> dict[str, Path]:
    """Of `ablation_eimg` with these settings: the folders of the variant's own stages, by kind."""
    chosen = select(EXPERIMENTS.get("ablation_eimg"), only).model_copy(update={"tracks": ("consistent-50s",)})
    asked = Request(chosen, "ablation_eimg", "tiny", (), parse_overrides([*SMALL, *words]))
    pipeline = build(asked, store / "fingerprints.json")
    nodes = [node for node in pipeline.graph if node.kind in kinds]
    for node in nodes:
        run_job(str(store), node.fields(), {})
    [child] = pipeline.children
    return {
        node.kind: Store(store).artifact(node.kind, node.signature) for node in nodes if node.signature in child.stages
    }
