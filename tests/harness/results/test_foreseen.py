"""What a plan says of the differences that a run will show."""

from pathlib import Path

import pytest

from harness.core.atomic import write_json
from harness.core.store import Store
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import Pipeline, Request, build
from harness.results.foreseen import ALIKE, HERE, TOY, foreseen_lines, trained_alike
from harness.results.trainings import RECORD
from reports.statistics.power import foreseen
from reports.statistics.trainings import Trainings

TRACK = "consistent-50s"
SPREAD = Trainings(0.3, 8, 1.0, 120, 16, paired=0.4)
OWN = {"train.steps": 7}  # of these trainings nothing is shipped


def planned(
    tmp_path: Path, only: str = "full,no_*", seeds: tuple[int, ...] = (0, 1, 2), **overrides: object
) -> Pipeline:
    chosen = select(EXPERIMENTS.get("ablation_eimg"), only).model_copy(update={"tracks": (TRACK,), "seeds": seeds})
    return build(Request(chosen, "ablation_eimg", "tiny", overrides=overrides), tmp_path / "f.json")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def test_the_spreads_of_this_store_say_what_a_run_will_show(tmp_path: Path, store: Store) -> None:
    pipeline = planned(tmp_path, **OWN)
    row = {"track": TRACK, "metric": "placed_psnr", "statistic": "late", "version": "1", **SPREAD._asdict()}
    write_json(store.root / RECORD, {trained_alike(pipeline): [row]})
    (line,) = foreseen_lines(pipeline, store)
    rows, films = 3, pipeline.children[0].resolved.settings.generate.samples
    assert f"{TRACK}: 3 seeds and {films} films will show differences from about" in line
    assert f"{foreseen(SPREAD, 3, films, rows, 4):.2g} dB on in late placed PSNR" in line
    assert line.endswith(f"by {HERE}.")


def test_without_any_those_of_the_toy_stand_in_and_are_named(tmp_path: Path, store: Store) -> None:
    (line,) = foreseen_lines(planned(tmp_path, **OWN), store)
    assert line.endswith(f"in late placed PSNR (power 80 %, 5 % over 3 comparisons), by {TOY}.")


def test_where_the_lead_metric_is_not_known_another_stands_in_and_is_called_so(tmp_path: Path, store: Store) -> None:
    pipeline = planned(tmp_path, **OWN)
    row = {"track": TRACK, "metric": "background_psnr", "statistic": "late", "version": "1", **SPREAD._asdict()}
    write_json(store.root / RECORD, {trained_alike(pipeline): [row]})
    (line,) = foreseen_lines(pipeline, store)
    assert f"in late background PSNR (power 80 %, 5 % over 3 comparisons), by {HERE}." in line
    assert line.endswith(
        "That is not placed PSNR, which leads where the true film is known: no spread of it is known yet."
    )


def test_a_spread_of_differences_that_is_not_known_or_told_by_fewer_trainings_gives_way(
    tmp_path: Path, store: Store
) -> None:
    usual = planned(tmp_path, **OWN)
    (expected,) = foreseen_lines(usual, store)
    row = {"track": TRACK, "metric": "placed_psnr", "statistic": "late", "version": "1", **SPREAD._asdict()}
    write_json(store.root / RECORD, {trained_alike(usual): [row | {"paired": None}]})
    assert list(foreseen_lines(usual, store)) == [expected]
    as_shipped = planned(tmp_path)
    write_json(store.root / RECORD, {trained_alike(as_shipped): [row | {"metric": "background_psnr", "freedom": 1}]})
    (line,) = foreseen_lines(as_shipped, store)
    assert f"by {ALIKE}." in line


def test_variants_of_one_training_are_foreseen_as_such(tmp_path: Path, store: Store) -> None:
    for only, rows, sides in (("alpha_*", 3, 0), ("base,alpha_*", 4, 1)):
        chosen = select(EXPERIMENTS.get("lora_alpha"), only).model_copy(update={"tracks": (TRACK,), "seeds": (0, 1)})
        pipeline = build(Request(chosen, "lora_alpha", "tiny", overrides=OWN), tmp_path / "f.json")
        row = {"track": TRACK, "metric": "placed_psnr", "statistic": "late", "version": "1", **SPREAD._asdict()}
        write_json(store.root / RECORD, {trained_alike(pipeline): [row]})
        (line,) = foreseen_lines(pipeline, store)
        assert f" {foreseen(SPREAD, 2, 16, rows, 1, sides):.2g} dB" in line
    assert foreseen(SPREAD, 2, 16, 3, 1, sides=0) < foreseen(SPREAD, 2, 16, 3, 4) / 2


def test_a_row_with_the_films_of_the_baseline_is_no_comparison(tmp_path: Path, store: Store) -> None:
    (line,) = foreseen_lines(planned(tmp_path, **OWN, **{"injection.p_noi": 0.0}), store)
    assert "5 % over 2 comparisons" in line


def test_few_films_or_one_row_foresee_nothing(tmp_path: Path, store: Store) -> None:
    assert list(foreseen_lines(planned(tmp_path, **{"generate.samples": 5}), store)) == []
    for nothing_compared in ("full", "recode"):
        assert list(foreseen_lines(planned(tmp_path, only=nothing_compared), store)) == []


def test_the_name_of_trainings_knows_their_settings_and_no_seed(tmp_path: Path) -> None:
    usual = trained_alike(planned(tmp_path))
    assert usual == trained_alike(planned(tmp_path, seeds=(4,), only="full"))
    assert usual != trained_alike(planned(tmp_path, **OWN))
