"""The misses that come with the harness, and how they are counted in a report's results."""

import json

import numpy as np
import pytest

from harness.core.store import Store
from harness.declare.profiles import DEFAULT
from harness.declare.request import Request
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import Pipeline, build
from harness.results.info import report_info
from harness.results.misses import FORETOLD, TOY, misses, misses_in, record
from harness.results.reports import latest_report, report_job
from reports.artifacts import RESULTS
from reports.statistics.foretold import LEVEL, foretold
from tests.harness.finished import finished
from tests.reports.report_frames import study_report


@pytest.fixture(scope="module")
def league(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """As it is run today."""
    request = Request(EXPERIMENTS.get("league"), "league", DEFAULT)
    return build(request, tmp_path_factory.mktemp("league") / "fingerprints.json")


def test_they_are_of_the_trainings_that_the_league_has_and_of_no_other_films(league: Pipeline) -> None:
    trainings = [node for node in league.graph if node.kind == "train"]
    (base,) = {str(node.upstream["backbone"]) for node in trainings}
    known = misses(100, base, [node.identity for node in trainings])
    assert set(known) == set(FORETOLD)
    assert all(len(values) >= 60 for values in known.values())
    assert misses(100, base, []) == known  # the base model's own films
    assert not misses(500, base, [])
    assert not misses(100, None, [])
    assert not misses(100, base, [{**trainings[0].identity, "train.steps": 50}])
    assert misses(100, base, [{**trainings[0].identity, "train.seed": 17}])


def test_a_report_takes_them_for_the_films_that_a_record_is_of_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(finished())
    kept = record([latest_report(store.root, "ablation_eimg") / RESULTS])
    (training,) = kept["trainings"]
    assert training["train.steps"] == 12
    assert all(len(values) == 2 for values in kept["misses"].values())
    job = report_job(store, "ablation_eimg")
    assert not any(report_info(job).misses["consistent-50s"].values())  # of a base model and trainings of a few steps
    monkeypatch.setattr("harness.results.misses._kept", lambda: kept)
    found = report_info(job).misses["consistent-50s"]
    assert set(found) == {"base", "full"}
    assert all(len(one["placed_psnr"]) == 2 for one in found.values())


def test_an_interval_from_the_other_rows_holds_nine_misses_in_ten() -> None:
    """The three seeds of a row stand together in the file, and are left out together."""
    for values in json.loads(TOY.read_text(encoding="utf-8"))["misses"].values():
        rows, held = np.array(values).reshape(-1, 3), 0
        flat, gain = np.full((1, 4, 12), 30.0), np.full((1, 4), 0.5)
        for left_out in range(len(rows)):
            others = np.delete(rows, left_out, axis=0).ravel().tolist()
            found = foretold(flat, gain, 100, others)
            ends = 30 + rows[left_out]
            held += int(((found.low <= ends) & (ends <= found.high)).sum())
        assert held / rows.size == pytest.approx(LEVEL, abs=0.03)


def test_a_miss_is_counted_of_each_variant_track_and_seed_with_curves_and_a_gain() -> None:
    frame = study_report().frame.copy()
    assert misses_in(frame)["placed_psnr"] == []
    found = misses_in(frame)["background_psnr"]
    rows = frame[(frame["metric"] == "gain") & frame["value"].notna()]
    assert len(found) == len(rows.drop_duplicates(["track", "variant", "seed"]))
    assert np.isfinite(found).all()
