"""Forecasts of variants: measured before any film, pooled over seeds, and the advice that a plan gives from them."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness.core.artifacts import GAIN_AND_EPS
from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.store import Store
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan import pipeline
from harness.plan.kinds import FORECAST
from harness.plan.plan import Plan
from harness.results.forecast import advice, clips_of, forecast_of, forecasts, worse_than_best
from harness.results.foreseen import trained_alike
from harness.results.garbage import garbage
from harness.results.trainings import RECORD, forecast_measure
from reports.statistics.trainings import Trainings
from tests.harness.small import ONE_TRACK, SMALL, harness


@pytest.fixture
def planned(tmp_path: Path) -> tuple[pipeline.Pipeline, Store]:
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base,full,no_e_img,copy_image")
    chosen = chosen.model_copy(update={"tracks": ("consistent-50s", "consistent-250s"), "seeds": (0, 1)})
    built = pipeline.build(pipeline.Request(chosen, "ablation_eimg", "tiny"), tmp_path / "f.json")
    return built, Store(tmp_path / "runs")


def put(store: Store, signature: str, gain: float, eps: float) -> None:
    """A finished forecast of eight films around these values."""
    folder = store.begin(FORECAST.name, signature)
    spread = np.linspace(-0.01, 0.01, 8)
    np.savez(folder / GAIN_AND_EPS, gain=gain + spread, eps=eps * (1 + spread))
    manifest = {"kind": FORECAST.name, "version": 1, "identity": {}, "upstream": {}, "seconds": 1.0, "work": 1.0}
    store.commit(FORECAST.name, signature, {**manifest, "created": "2026-01-01"})


def test_only_films_that_a_model_makes_have_a_forecast_and_it_comes_first(
    planned: tuple[pipeline.Pipeline, Store],
) -> None:
    built, _ = planned
    by_name = {child.variant.name: child for child in built.children}
    assert not by_name["copy_image"].forecast
    nodes = {node.signature: node for node in built.graph}
    full = by_name["full"]
    one = nodes[full.forecast["consistent-50s"]]
    made = nodes[full.generate["consistent-50s"]]
    assert one.upstream == made.upstream
    assert one.priority > made.priority
    assert one.work < made.work / 5
    assert one.signature in nodes[full.score["consistent-50s"]["embedded"]].needs
    part = built.graph.upto([one.signature])
    assert {node.kind for node in part} == {"backbone", "data", "train", "forecast"}


def test_variants_are_ranked_by_the_error_at_the_end_of_the_film(planned: tuple[pipeline.Pipeline, Store]) -> None:
    built, store = planned
    measured = {"base": (0.95, 0.046), "full": (0.19, 0.17), "no_e_img": (0.94, 0.04)}
    for child in built.children:
        for track in child.forecast:
            put(store, child.forecast[track], *measured[child.variant.name])
    found = forecasts(built, store, "consistent-250s")
    assert list(found) == ["full", "no_e_img", "base"]
    assert found["full"].films == 16  # of both seeds
    assert found["full"].clips == clips_of(built, built.children[0], "consistent-250s") > 100
    long = list(advice(built, store, Plan.of(built.graph, store)))
    assert "Worth long films: full." in long[-1]
    assert "Clearly worse already by one clip: no_e_img, base." in long[-1]
    assert "--only 'full,copy_image'" in long[-1]


def test_a_damaged_forecast_is_not_read(planned: tuple[pipeline.Pipeline, Store]) -> None:
    built, store = planned
    signature = built.children[0].forecast["consistent-50s"]
    put(store, signature, 0.5, 0.1)
    (store.find(signature) / GAIN_AND_EPS).write_bytes(b"")
    with pytest.raises(UseError, match=f"{GAIN_AND_EPS} has 0 bytes"):
        forecast_of(store, [signature], 3)


def test_one_missing_seed_is_no_forecast(planned: tuple[pipeline.Pipeline, Store]) -> None:
    built, store = planned
    put(store, built.children[0].forecast["consistent-50s"], 0.5, 0.1)
    assert not forecasts(built, store, "consistent-50s")
    built_advice = list(advice(built, store, Plan.of(built.graph, store)))
    assert len(built_advice) == 2  # a track
    assert "5 of 6 forecasts are missing" in built_advice[0]


def test_of_one_training_each_none_is_clearly_worse_until_it_is_known_how_far_trainings_differ(
    planned: tuple[pipeline.Pipeline, Store],
) -> None:
    both, store = planned
    asked = both.request.experiment.model_copy(update={"seeds": (0,)})
    built = pipeline.build(pipeline.Request(asked, "ablation_eimg", "tiny"), store.root / "f.json")
    measured = {"base": (0.95, 0.046), "full": (0.19, 0.17), "no_e_img": (0.94, 0.04)}
    for child in built.children:
        for track in child.forecast:
            put(store, child.forecast[track], *measured[child.variant.name])
    said = list(advice(built, store, Plan.of(built.graph, store)))[-1]
    assert said.startswith("Of one training each, no_e_img, base look worse by one clip")
    assert "--only" not in said
    spreads = {0.05: "Clearly worse already by one clip: no_e_img, base.", 3.0: "No forecast is clearly worse"}
    for sd, expected in spreads.items():
        track, metric, statistic, version = forecast_measure("consistent-250s")
        spread = Trainings(sd**2, 8, 1e-4, 100, 8)._replace(paired=0.0)._asdict()
        row = {"track": track, "metric": metric, "statistic": statistic, "version": version, **spread}
        write_json(store.root / RECORD, {trained_alike(built): [row]})
        assert expected in list(advice(built, store, Plan.of(built.graph, store)))[-1]


def test_of_equal_variants_none_is_worse_than_the_best_oftener_than_5_percent() -> None:
    """The best of many was chosen for its forecast: even equal ones end far below it."""
    random, false, studies = np.random.default_rng(0), 0, 150
    for _ in range(studies):
        tables = random.normal(0, 1, (16,)) + random.normal(0, 0.5, (30, 1, 16))
        ranked = sorted(tables, key=lambda one: float(one.mean()))
        false += bool(worse_than_best({str(rank): one for rank, one in enumerate(ranked)}, {})[0])
    assert false / studies < 0.08
    two = {"better": random.normal(0, 0.5, (1, 16)), "worse": random.normal(3, 0.5, (1, 16))}
    assert worse_than_best(two, {}) == (["worse"], True)


def test_forecasts_of_one_training_are_told_apart_without_its_spread() -> None:
    random = np.random.default_rng(1)
    shift = random.normal(0, 2, (3, 1))
    tables = {name: shift + ends + random.normal(0, 0.01, (3, 16)) for name, ends in (("full", 0.0), ("alpha", 0.3))}
    one = {name: {0: "a", 1: "b", 2: "c"} for name in tables}
    assert worse_than_best(tables, one) == (["alpha"], True)
    assert worse_than_best(tables, {name: {} for name in tables}) == ([], True)


def test_equal_forecasts_leave_the_decision_to_the_films(planned: tuple[pipeline.Pipeline, Store]) -> None:
    built, store = planned
    for child in built.children:
        for track in child.forecast:
            put(store, child.forecast[track], 0.5, 0.1)
    assert "No forecast is clearly worse" in list(advice(built, store, Plan.of(built.graph, store)))[1]


def test_nothing_is_advised_on_films_that_are_there(planned: tuple[pipeline.Pipeline, Store]) -> None:
    built, store = planned
    rows = tuple(replace(row, state="cached") for row in Plan.of(built.graph, store).rows)
    assert not list(advice(built, store, Plan(rows, 1, 0.0)))


def test_the_command_makes_no_film_and_run_goes_on_from_it(tmp_path: Path) -> None:
    store = tmp_path / "runs"
    words = ("ablation_eimg", "--only", "base,full", ONE_TRACK, *SMALL)
    done = harness("forecast", *words, store=store)
    assert done.returncode == 0, done.stderr
    assert "settles at" in done.stdout
    assert "late placed PSNR" in done.stdout
    assert {"base", "full"} <= {line.split()[1] for line in done.stdout.splitlines() if line.startswith("|")}
    assert not (store / "artifacts" / "generate").exists()
    assert not garbage(Store(store), 0)
    plan = harness("plan", *words, store=store).stdout
    assert "forecasts from one clip" in plan
    assert "foretold from the first clips" in plan
    states = json.loads(harness("plan", *words, "--json", store=store).stdout)
    kinds = {row["kind"] for row in states["stages"] if row["state"] == "cached"}
    assert kinds == {"backbone", "data", "train", "forecast"}
