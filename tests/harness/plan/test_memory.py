"""Memories as parts of a method: which stages they change, and what they stand for."""

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import UseError
from harness.declare.request import Request, resolved
from harness.declare.settings import Settings
from harness.experiments import EXPERIMENTS
from harness.plan.kinds import GENERATE, TRAIN
from harness.plan.method import method_of
from harness.plan.model import model_of
from harness.plan.pipeline import build
from tests.harness.plan.methods import TEACHER, settings


@pytest.mark.parametrize(
    ("memory", "alike", "other"),
    [
        ("none", {"first": 2, "every": 3}, {"frames": 3}),
        ("sink", {"decay": 0.5, "every": 3}, {"first": 2}),
        ("ema", {"every": 3}, {"decay": 0.5}),
        ("sparse", {"decay": 0.5}, {"every": 3}),
    ],
)
def test_a_memory_changes_films_by_its_own_settings_and_no_training(
    memory: str, alike: dict[str, Any], other: dict[str, Any]
) -> None:
    def read(cache: dict[str, Any], memory: str = memory) -> tuple[Any, Any]:
        given = {"method": TEACHER | {"memory": memory}, "cache": cache, "condition": {"motion_frames": 1}}
        model = model_of(Settings.model_validate(given), None)
        method = method_of(model.settings)
        training, films = (
            (identity, model.read(kind.reads)) for kind, identity, _ in (method.training(TRAIN), method.films(GENERATE))
        )
        return training, films

    usual = read({})
    assert read(alike) == usual
    assert read(other)[0] == usual[0]
    assert read(other)[1] != usual[1]
    assert read({}, "half")[0] == usual[0]
    assert read({}, "half")[1] != usual[1]
    assert read({"noise": 0.1})[0] != usual[0]


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        ("anchor_latents", {"condition.anchor": True}),
        ("anchor_frame", {"condition.padding": 1}),
        ("reference_padding", {"condition.padding": "reference"}),
    ],
)
def test_a_memory_that_is_settings_makes_the_stages_that_these_make(
    tmp_path: Path, memory: str, said: dict[str, object]
) -> None:
    """Named as a part, or set by hand: what a store holds of one is found for the other."""

    def signatures(values: dict[str, object]) -> set[str]:
        asked = Request(EXPERIMENTS.get("ablation_eimg"), "ablation_eimg", "tiny", overrides=values)
        graph = build(asked, tmp_path / "fingerprints.json").graph
        return {node.signature for node in graph if node.kind != "report"}

    by_name = signatures({"method.memory": memory})
    assert by_name == signatures(said)
    assert by_name != signatures({})


def test_a_memory_and_what_contradicts_it(tmp_path: Path) -> None:
    profile = ("profile tiny", {"condition.padding": "repeat"})
    by_name = ("variant v", {"method.memory": "reference_padding"})
    found = resolved([profile, by_name])
    assert found.settings.condition.padding == "reference"
    assert found.origin["condition.padding"] == "method.memory=reference_padding"
    agreeing = ("command line", {"condition.padding": "reference"})
    assert resolved([profile, agreeing, by_name]).settings == found.settings
    for layers in (
        [profile, ("command line", {"condition.padding": "zeros"}), by_name],
        [("recipe r", {"method.memory": "reference_padding"}), ("variant v", {"condition.padding": "zeros"})],
        [("variant v", {"method.memory": "reference_padding", "condition.padding": 2})],
    ):
        with pytest.raises(UseError, match=r"contradicts method.memory=reference_padding, which stands for"):
            resolved(layers)
    assert resolved([by_name, ("v", {"method.memory": "none", "condition.padding": 2})]).settings.condition.padding == 2


def test_a_memory_of_ones_own_needs_a_place_for_its_image(memories: Path) -> None:
    with pytest.raises(UseError, match=r"method.memory=Last chooses a reference image, and the condition has no place"):
        method_of(settings(memory=f"{memories}:Last"))
    anchored = resolved([("variant v", {"method.memory": f"{memories}:Placed"})]).settings
    _, identity, runtime = method_of(anchored).films(GENERATE)
    assert identity["method.memory"] == "Placed"
    assert runtime["method.memory.target"] == f"{memories}:Placed"
    assert anchored.condition.anchor
