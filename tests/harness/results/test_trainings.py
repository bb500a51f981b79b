"""What a store keeps of how far trainings differ: written by a run of several seeds, read by one of one."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.core.store import Store
from harness.results.comparison import compared
from harness.results.frame import results_frame
from harness.results.info import report_info
from harness.results.reports import report_job
from harness.results.trainings import RECORD, alike, keep, known, with_known
from reports.statistics.info import ReportInfo
from reports.statistics.view import ReportView
from tests.harness.results.test_comparison import TRACK, experiment

ENDS = {"full": ("full", 29.0), "small": ("small", 25.0)}
LATE = (TRACK, "background_psnr", "late")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    opened = Store(tmp_path / "runs")
    experiment(opened, "three", ENDS, seeds=(0, 1, 2))
    experiment(opened, "one", ENDS, seeds=(5,))
    experiment(opened, "longer", {"full": ("longer", 29.0)}, seeds=(7,), trained=900)
    return opened


def shown(store: Store, name: str) -> tuple[pd.DataFrame, ReportInfo]:
    job = report_job(store, name)
    frame = results_frame(job)
    return frame, with_known(report_info(job), job, frame)


def kept(store: Store) -> ReportView:
    report = ReportView.of(*shown(store, "three"))
    keep(report_job(store, "three"), report)
    return report


def test_a_run_of_one_seed_knows_what_one_of_several_found(store: Store) -> None:
    assert shown(store, "one")[1].known == {}
    report = kept(store)
    assert shown(store, "one")[1].known[LATE] == report.trainings[LATE]
    assert report.trainings[LATE].freedom == 4  # two rows of three seeds
    rows = ReportView.of(*shown(store, "one")).tracks[0].rows
    assert not rows["delta_one_training"].any()


def test_variants_whose_films_one_training_made_are_known(store: Store) -> None:
    alike = {"full": ("full", 29.0), "again": ("full", 29.0), "small": ("small", 25.0)}
    experiment(store, "shared", alike, seeds=(0, 1))
    found = shown(store, "shared")[1].trainings
    assert found["full"] == found["again"]
    assert len({found[name][seed] for name in found for seed in (0, 1)}) == 4
    both = compared(store, ["shared", "three"], [])[1].trainings
    assert set(both["full"]) == {0, 1, 2}  # of the seeds of either


def test_trainings_of_other_settings_are_not_alike(store: Store) -> None:
    kept(store)
    assert shown(store, "longer")[1].known == {}
    assert alike([({"train.steps": 1, "train.seed": 0}, {})]) == alike([({"train.steps": 1, "train.seed": 9}, {})])
    assert alike([({"train.steps": 1}, {})]) != alike([({"train.steps": 1}, {"data": "0a"})])
    assert alike([]) == ""


def test_scores_of_another_version_say_nothing(store: Store) -> None:
    kept(store)
    job = report_job(store, "one")
    frame = results_frame(job)
    assert with_known(report_info(job), job, frame.assign(version="2")).known == {}


def test_fewer_seeds_do_not_take_the_place_of_more(store: Store) -> None:
    report = kept(store)
    two = ReportView.of(report.frame[report.frame["seed"] < 2], replace(report.info, seeds=[0, 1]))
    keep(report_job(store, "three"), two)
    assert shown(store, "one")[1].known[LATE].freedom == 4


def test_a_record_that_cannot_be_read_is_none(store: Store) -> None:
    kept(store)
    (name,) = json.loads((store.root / RECORD).read_text())
    assert len(known(store.root, name)) > 3
    rows = json.loads((store.root / RECORD).read_text())[name]
    for cannot in ([{**rows[0], "freedom": "many"}], [{"track": TRACK}], ["a"], 3, None):
        (store.root / RECORD).write_text(json.dumps({name: cannot}))
        assert known(store.root, name) == {}
    (store.root / RECORD).write_text("{")
    assert known(store.root, name) == {}


def test_two_seeds_do_not_take_the_place_of_what_comes_with_the_harness(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept(store)
    record = json.loads((store.root / RECORD).read_text())
    (name,) = record
    more = [row | {"freedom": 42.0, "between": 7.0} for row in record[name] if row["metric"] == LATE[1]]
    (tmp_path / "toy.json").write_text(json.dumps({name: more}))
    monkeypatch.setattr("harness.results.trainings.TOY", tmp_path / "toy.json")
    assert known(store.root, name)[(*LATE, "1")].between == 7.0
    (store.root / RECORD).unlink()
    kept(store)
    assert "late" not in {row["statistic"] for row in json.loads((store.root / RECORD).read_text())[name]}
