"""A plan as a person sees it: it fits a screen, says why in words, and how long it takes on an empty store too."""

from pathlib import Path

import pytest

from harness.core.store import Store
from harness.declare.profiles import embedded
from harness.declare.request import Request
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan.estimate import shipped_about
from harness.plan.matrix import WIDTH, matrix
from harness.plan.pipeline import Pipeline, build
from harness.plan.plan import Plan, totals


def planned(root: Path, only: str = "*", profile: str = "tiny", **settings: object) -> tuple[Plan, Pipeline]:
    """The ablation held against the store."""
    store = Store(root)
    experiment = select(EXPERIMENTS.get("ablation_eimg"), only)
    pipeline = build(Request(experiment, "ablation_eimg", profile, overrides=settings), store.fingerprints)
    return Plan.of(pipeline.graph, store, 2, embedded=True), pipeline


def finish(root: Path, plan: Plan, *kinds: str, seconds: float = 20.0) -> None:
    """Commit all stages of these kinds as if they had taken so long, whatever their work."""
    store = Store(root)
    for row in plan.rows:
        node = row.node
        if node.kind in kinds:
            store.begin(node.kind, node.signature)
            about = {key: node.fields()[key] for key in ("kind", "version", "identity", "upstream", "work")}
            took = {"seconds": seconds, "fixed": seconds, "created": "2026-01-01"}
            store.commit(node.kind, node.signature, {**about, **took})


def rows(plan: Plan, pipeline: Pipeline) -> dict[str, str]:
    """The lines by their first word."""
    return {line.split()[0]: line for line in matrix(plan, pipeline).splitlines() if line}


@pytest.mark.parametrize("profile", embedded())
def test_an_empty_store_has_a_time_for_every_stage_of_an_embedded_profile(profile: str, tmp_path: Path) -> None:
    plan, pipeline = planned(tmp_path, profile=profile)
    assert (plan.unknown, plan.shipped) == (0, True)
    assert 5 * 60 < plan.seconds < 60 * 60  # of two cores; the README says minutes
    shown = matrix(plan, pipeline).splitlines()
    assert max(map(len, shown)) <= WIDTH
    assert len(shown) < 20
    assert "cores" in shipped_about()
    assert totals(plan).startswith("60 stages: 60 not begun; about ")


def test_a_row_a_variant_and_a_column_a_kind(tmp_path: Path) -> None:
    finish(tmp_path, planned(tmp_path, "base,full")[0], "backbone", "data", "train", "forecast", "generate", "score")
    found = rows(*planned(tmp_path, "base,full,no_e_img"))
    assert found["variant"].split() == ["variant", "train", "forecast", "films", "scores", "why"]
    assert found["base"].split() == ["base", "-", "done", "done", "done"]
    assert found["full"].split() == ["full", "done", "done", "done", "done"]
    assert found["no_e_img"].endswith("injection.p_img is 0.0, not 0.9")
    assert found["latent"].split() == ["latent", "cache", "done"]


def test_seeds_and_tracks_that_are_done_in_part_are_counted(tmp_path: Path) -> None:
    one, _ = planned(tmp_path, "full")
    film = next(row for row in one.rows if row.node.kind == "generate")
    finish(tmp_path, Plan((film,), 1, 0.0), "generate")
    assert "1 of 2 done" in rows(*planned(tmp_path, "full"))["full"]


def test_a_debug_run_of_a_few_steps_does_not_foretell_hours(tmp_path: Path) -> None:
    debug, _ = planned(tmp_path, "full", **{"train.steps": 3, "generate.samples": 1})
    finish(tmp_path, debug, "backbone", "data", "train", "forecast", "generate", "score", seconds=21.0)
    plan, pipeline = planned(tmp_path, "full")
    training = next(row for row in plan.rows if row.node.kind == "train")
    assert (training.estimate, training.shipped) == (pytest.approx(21.0), False)  # all of it was fixed
    assert rows(plan, pipeline)["full"].endswith("train.steps is 3000, not 3")


def test_a_debug_run_of_another_model_does_not_hide_what_is_shipped_for_this_one(tmp_path: Path) -> None:
    debug, _ = planned(tmp_path, "full", **{"tiny.layers": 1})
    finish(tmp_path, debug, "backbone", "data", "train", "forecast", "generate", "score", seconds=1.0)
    training = next(row for row in planned(tmp_path, "full")[0].rows if row.node.kind == "train")
    assert training.shipped
    assert training.estimate is not None
    assert training.estimate > 60


def test_reasons_that_do_not_fit_are_left_out_whole(tmp_path: Path) -> None:
    sets = {"tiny.layers": 1, "tiny.heads": 2, "tiny.ffn_dim": 128, "tiny.text_tokens": 8}
    finish(tmp_path, planned(tmp_path, "full", **sets)[0], "backbone", "data", "train", "report")
    found = rows(*planned(tmp_path, "full"))
    assert len(found["full"]) <= WIDTH
    assert found["full"].endswith("; ...")
    assert found["report"].split()[-1] == "s"  # its time: a report follows from the rest
