"""Which rows of a finished report are decided."""

from pathlib import Path

import pandas as pd
import pytest

from harness.core.store import Store
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan.kinds import REPORT
from harness.plan.pipeline import Pipeline, Request, build
from harness.results.decided import undecided
from reports.artifacts import SUMMARY
from reports.statistics.summary import summarise
from reports.tables.text import csv
from tests.reports.report_frames import info, study

TRACK = "consistent-50s"


def planned(tmp_path: Path, at_most_seeds: int | None = None) -> Pipeline:
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base,full,no_e_img,no_e_vid,copy_image")
    chosen = chosen.model_copy(update={"tracks": (TRACK,), "seeds": (0, 1)})
    return build(Request(chosen, "ablation_eimg", "tiny", at_most_seeds=at_most_seeds), tmp_path / "f.json")


def reported(store: Store, pipeline: Pipeline, summary: pd.DataFrame) -> dict[str, int]:
    folder = store.artifact(REPORT.name, pipeline.report)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).write_text(csv(summary))
    return undecided(pipeline, store)


def test_a_row_is_decided_where_the_answer_claims_a_difference(tmp_path: Path) -> None:
    store, pipeline = Store(tmp_path / "runs"), planned(tmp_path)
    summary = summarise(study(), info())
    assert reported(store, pipeline, summary) == {f"no_e_vid on {TRACK}": 6}
    open_too = summary.assign(delta_holm=summary["delta_holm"].where(summary["variant"] != "base", 0.2))
    assert reported(store, pipeline, open_too) == {f"base on {TRACK}": 6, f"no_e_vid on {TRACK}": 6}


def test_a_look_is_held_to_its_share_of_5_percent(tmp_path: Path) -> None:
    store, pipeline = Store(tmp_path / "runs"), planned(tmp_path, at_most_seeds=5)
    summary = summarise(study(), info(looks=pipeline.request.looks))
    assert summary["alpha"].unique() == pytest.approx([0.0125])
    between = summary.assign(delta_holm=summary["delta_holm"].where(summary["variant"] != "base", 0.03))
    assert f"base on {TRACK}" in reported(store, pipeline, between)


def test_looks_are_part_of_a_report_alone(tmp_path: Path) -> None:
    plain, looked = planned(tmp_path), planned(tmp_path, at_most_seeds=5)
    assert plain.report != looked.report
    assert {node.signature for node in plain.graph} ^ {node.signature for node in looked.graph} == {
        plain.report,
        looked.report,
    }
    assert "--until decided --at-most-seeds 5" in looked.request.command
    assert planned(tmp_path, at_most_seeds=2).report == plain.report  # one look is none more
