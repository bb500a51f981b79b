"""What parts of a method train, and the films that they make: carried out, beside what the usual method has made."""

import json
from pathlib import Path

import numpy as np
import pytest

from harness.core.store import Store
from harness.declare.request import Request
from harness.declare.spec import parse_overrides, select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import build
from harness.run.worker import run_job
from tests.harness.finished import copied
from tests.harness.plan.methods import TEACHER
from tests.harness.small import SMALL

FILMS = ("backbone", "data", "train", "errors", "generate")


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """With the stages of the usual method."""
    return copied(tmp_path / "runs")


def made(store: Path, *words: str, only: str = "full", kinds: tuple[str, ...] = FILMS) -> dict[str, Path]:
    """Carries out the stages of these kinds of one variant: the folders of its own ones, by kind."""
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


def weights(made: dict[str, Path]) -> bytes:
    [file] = made["train"].glob("transformer/*.safetensors")
    return file.read_bytes()


def test_error_recycling_is_trained_and_makes_films_under_causal_attention(store: Path) -> None:
    """From the same draws other weights, and from these in turn other films; pictures of errors, too."""
    both, causal = (
        made(store, "train.show_errors=true", f"method.architecture={one}") for one in ("bidirectional", "causal")
    )
    assert weights(both) != weights(causal)
    for kind, file in (("generate", "frames.npy"), ("errors", "own.npz")):
        assert (both[kind] / file).read_bytes() != (causal[kind] / file).read_bytes(), file


def test_one_training_behind_true_blocks_makes_films_with_every_memory(store: Path) -> None:
    """Each other films; every stage counts what it took, twice the tokens of a clip a sample."""
    parts = [f"method.{axis}={part}" for axis, part in TEACHER.items()]
    window, sink = (made(store, *parts, f"method.memory={memory}") for memory in ("none", "sink"))
    assert window["train"] == sink["train"]
    assert json.loads((sink["train"] / "cost.json").read_text())["training_tokens"] == 12 * 16 * 2 * 20
    films = [np.load(one["generate"] / "frames.npy") for one in (window, sink)]
    assert not np.array_equal(*films)
    assert np.array_equal(*(film[:, :5] for film in films))  # nothing is forgotten yet


def test_an_objective_of_ones_own_is_trained(own: Path, store: Path) -> None:
    """One file, named on the command line; plain flow matching beside it ends elsewhere."""
    objectives = {"Brighter": f"{own}:Brighter", "flow_matching": "flow_matching"}
    trained = {
        name: made(store, f"method.objective={objective}", kinds=("backbone", "data", "train"))
        for name, objective in objectives.items()
    }
    for name, one in trained.items():
        assert json.loads((one["train"] / "manifest.json").read_text())["identity"]["method.objective"] == name
    assert weights(trained["Brighter"]) != weights(trained["flow_matching"])


def test_films_are_made_with_a_memory_of_ones_own(memories: Path, store: Path) -> None:
    parts = [made(store, f"method.memory={memory}", only="base") for memory in (f"{memories}:Placed", "anchor_latents")]
    films = [np.load(one["generate"] / "frames.npy") for one in parts]
    first = slice(0, 3)  # the second clip begins there
    assert np.array_equal(films[0][:, first], films[1][:, first])
    assert not np.array_equal(films[0], films[1])
