"""What parts of a method train, and the films that they make: carried out, beside what the usual method has made."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.harness.finished import copied
from tests.harness.made import TRAINED, made
from tests.harness.plan.methods import TEACHER


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """With the stages of the usual method."""
    return copied(tmp_path / "runs")


def weights(one: dict[str, Path]) -> bytes:
    [file] = one["train"].glob("transformer/*.safetensors")
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
        name: made(store, f"method.objective={objective}", kinds=TRAINED) for name, objective in objectives.items()
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
