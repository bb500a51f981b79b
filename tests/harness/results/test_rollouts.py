"""What rollouts say of variants, and which of them end clearly below the best."""

from pathlib import Path

import numpy as np
import pytest

from harness.core.artifacts import FIRST_CLIPS, STRENGTH
from harness.core.store import Store
from harness.declare.request import Request
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import Pipeline, build
from harness.plan.plan import Plan
from harness.plan.rollouts import rollout_of
from harness.results.forecast import advice
from harness.results.misses import FORETOLD
from harness.results.rollouts import below_the_best, markdown, rollouts
from reports.statistics.foretold import ROLLED_CLIPS, ROLLED_FILMS
from tests.harness.results.test_forecast import planned, put

__all__ = ["planned"]  # a fixture
TRACK = "consistent-50s"
CLIPS = dict.fromkeys(("base", "full", "no_e_img"), 100)
GAINS = {"base": 0.9, "full": 0.2, "no_e_img": 0.9}


def roll(pipeline: Pipeline, store: Store, falls: dict[str, float]) -> None:
    """Forecasts, and finished rollouts that fall by so many dB from 33."""
    for child in pipeline.children:
        for track in child.forecast:
            put(store, child.forecast[track], GAINS[child.variant.name], 0.1)
            node = rollout_of(pipeline, child, track)
            assert node is not None
            folder = store.begin(node.kind, node.signature)
            curve = np.linspace(33, 33 - falls[child.variant.name], ROLLED_CLIPS)
            curves = dict.fromkeys(FORETOLD, np.tile(curve, (ROLLED_FILMS, 1)))
            np.savez(folder / FIRST_CLIPS, allow_pickle=False, **curves, **{STRENGTH: np.full(16, 0.75)})
            manifest = {"kind": node.kind, "version": 1, "identity": {}, "upstream": {}, "seconds": 1.0, "work": 1.0}
            store.commit(node.kind, node.signature, {**manifest, "created": "2026-01-01"})


def test_the_rule_and_the_misses_of_the_toy_are_used(planned: tuple[Pipeline, Store]) -> None:
    pipeline, store = planned
    roll(pipeline, store, {"base": 12, "full": 1, "no_e_img": 8})
    found = rollouts(pipeline, store, TRACK, CLIPS)
    assert list(found) == ["full", "no_e_img", "base"]
    known = found["full"].misses["background_psnr"]
    assert len(known) >= 60
    full = found["full"].late["background_psnr"]
    assert full.value == pytest.approx(32 + np.median(known), abs=0.05)  # of a low gain, the first clips are the end
    assert full.low < full.value < full.high
    assert found["base"].strength == pytest.approx(0.75)
    assert "| full | " in markdown(found)


def test_only_what_ends_further_below_than_two_misses_lie_apart_is_clearly_worse(
    planned: tuple[Pipeline, Store],
) -> None:
    pipeline, store = planned
    roll(pipeline, store, {"base": 12, "full": 1, "no_e_img": 2})
    found = rollouts(pipeline, store, TRACK, CLIPS)
    assert below_the_best(found) == ["base"]
    said = list(advice(pipeline, store, Plan.of(pipeline.graph, store)))
    assert any("Clearly worse already by the first clips: base." in line for line in said)


def test_of_films_of_another_length_no_miss_is_known(planned: tuple[Pipeline, Store]) -> None:
    pipeline, store = planned
    roll(pipeline, store, {"base": 12, "full": 1, "no_e_img": 8})
    long = dict.fromkeys(CLIPS, 500)
    found = rollouts(pipeline, store, "consistent-250s", long)
    assert np.isnan(found["full"].late["placed_psnr"].low)
    assert below_the_best(found) is None


def test_a_variant_with_a_seed_that_was_not_rolled_out_has_none(
    planned: tuple[Pipeline, Store], tmp_path: Path
) -> None:
    pipeline, store = planned
    assert not rollouts(pipeline, store, TRACK, CLIPS)


@pytest.mark.parametrize(
    ("overrides", "alike"),
    [
        ({"injection.p_vid": 0.5}, True),
        ({"train.steps": 50}, False),
        ({"method.objective": "history_corruption"}, True),
        ({"method.objective": "history_corruption", "train.lr": 1e-4}, False),
        ({"tiny.steps": 100}, False),
        ({"data.clips": 512}, False),
    ],
)
def test_trainings_unlike_the_leagues_have_no_interval_and_are_compared_by_one_clip(
    tmp_path: Path, overrides: dict[str, object], alike: bool
) -> None:
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base,full")
    chosen = chosen.model_copy(update={"tracks": (TRACK,), "seeds": (0,)})
    pipeline = build(Request(chosen, "ablation_eimg", "tiny", overrides=overrides), tmp_path / "f.json")
    store = Store(tmp_path / "runs")
    roll(pipeline, store, {"full": 1, "base": 20})
    found = rollouts(pipeline, store, TRACK, CLIPS)
    assert np.isfinite(found["full"].late["placed_psnr"].low) == alike
    assert below_the_best(found) == (["base"] if alike else None)
    said = list(advice(pipeline, store, Plan.of(pipeline.graph, store)))[-1]
    assert ("Clearly worse already by the first clips: base" in said) == alike
    assert said.startswith("Of one training each") == (not alike)
