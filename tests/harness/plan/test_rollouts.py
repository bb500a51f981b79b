"""Rollouts: made for forecasts alone, of films whose world is known."""

from pathlib import Path

from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan import pipeline
from harness.plan.rollouts import foretelling, rollout_of
from tests.harness.wan import wan


def planned(tmp_path: Path, overrides: dict[str, object]) -> pipeline.Pipeline:
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base,full,copy_image")
    chosen = chosen.model_copy(update={"tracks": ("consistent-50s",), "seeds": (0,)})
    return pipeline.build(
        pipeline.Request(chosen, "ablation_eimg", "tiny", overrides=overrides), tmp_path / "fingerprints.json"
    )


def test_a_rollout_stands_beside_a_forecast_and_no_film_or_score_on_it(tmp_path: Path) -> None:
    built = planned(tmp_path, {})
    full = next(child for child in built.children if child.variant.name == "full")
    node = rollout_of(built, full, "consistent-50s")
    assert node is not None
    made = built.graph[full.generate["consistent-50s"]]
    assert (node.identity, node.upstream) == (made.identity, made.upstream)
    assert node.work < made.work / 10
    assert node.signature not in {one.signature for one in built.graph}
    graph = foretelling(built)
    assert {one.kind for one in graph} == {"backbone", "data", "train", "forecast", "rollout"}
    assert sum(one.kind == "rollout" for one in graph) == 2
    copies = next(child for child in built.children if child.variant.name == "copy_image")
    assert rollout_of(built, copies, "consistent-50s") is None


def test_frames_that_are_not_kept_whole_cannot_be_held_against_the_truth(tmp_path: Path) -> None:
    built = planned(tmp_path, {"generate.lossless": False})
    assert {one.kind for one in foretelling(built)} == {"backbone", "data", "train", "forecast"}


def test_the_films_of_a_wan_start_from_samples_whose_world_nobody_knows(tmp_path: Path) -> None:
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base").model_copy(update={"tracks": ("consistent-50s",)})
    size = {"data.height": 32, "data.width": 64, "data.clip_frames": 21, "data.hop": 21, "backbone.text_tokens": 6}
    overrides = {"backbone.weights": str(wan()), "generate.lossless": True, **size}
    request = pipeline.Request(chosen, "ablation_eimg", "folder", ("svi-shot",), overrides)
    built = pipeline.build(request, tmp_path / "fingerprints.json")
    assert {one.kind for one in foretelling(built)} == {"forecast"}
