"""Which rows of a finished report are decided."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.commands.run import run
from harness.commands.until import Look, Looks
from harness.core.atomic import write_json
from harness.core.store import MANIFEST, Store
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


def planned(tmp_path: Path, at_most_seeds: int | None = None, seeds: int = 2, first_look: int = 2) -> Pipeline:
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base,full,no_e_img,no_e_vid,copy_image")
    chosen = chosen.model_copy(update={"tracks": (TRACK,), "seeds": tuple(range(seeds))})
    asked = Request(chosen, "ablation_eimg", "tiny", at_most_seeds=at_most_seeds, first_look=first_look)
    return build(asked, tmp_path / "f.json")


def reported(store: Store, pipeline: Pipeline, summary: pd.DataFrame) -> dict[str, int]:
    folder = store.artifact(REPORT.name, pipeline.report)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / SUMMARY).write_text(csv(summary))
    write_json(folder / MANIFEST, {"signature": pipeline.report})
    return undecided(pipeline, store)


def test_a_row_is_decided_where_the_answer_claims_a_difference(tmp_path: Path) -> None:
    store, pipeline = Store(tmp_path / "runs"), planned(tmp_path)
    summary = summarise(study(), info())
    assert reported(store, pipeline, summary) == {f"no_e_vid on {TRACK}": 6}
    open_too = summary.assign(delta_holm=summary["delta_holm"].where(summary["variant"] != "base", 0.2))
    assert reported(store, pipeline, open_too) == {f"base on {TRACK}": 6, f"no_e_vid on {TRACK}": 6}


def test_what_shares_no_scored_film_with_the_baseline_is_undecided(tmp_path: Path) -> None:
    store, pipeline = Store(tmp_path / "runs"), planned(tmp_path)
    summary = summarise(study(), info())
    of_none = summary.assign(delta_n=summary["delta_n"].where(summary["variant"] != "base", 0))
    assert reported(store, pipeline, of_none) == {f"base on {TRACK}": 0, f"no_e_vid on {TRACK}": 6}
    assert reported(store, pipeline, summary[summary["variant"] != "base"])[f"base on {TRACK}"] == 0
    no_lead = summary[summary["metric"] == "motion"]
    assert reported(store, pipeline, no_lead) == {f"{name} on {TRACK}": 0 for name in ("base", "no_e_img", "no_e_vid")}


def test_looks_are_counted_from_the_seeds_that_a_run_begins_with(tmp_path: Path) -> None:
    later = planned(tmp_path, at_most_seeds=5, seeds=5, first_look=4).request
    assert later.looks == 2
    assert "--seeds 0,1,2,3, --until decided --at-most-seeds 5" in later.command
    looks = Looks.planned({"seeds": "4"}, at_most=5)
    assert (looks.seeds, looks.first) == ((0, 1, 2, 3, 4), 4)
    assert looks.name(Look(5)) == "look 2 of at most 2, 5 seeds"
    assert Looks.planned({"seeds": "7,"}, at_most=3)[1:] == ((7, 0, 1), 2, ())


def test_a_dry_run_plans_the_next_look(tmp_path: Path) -> None:
    words = ["ablation_eimg", "--until", "decided", "--at-most-seeds", "4", "--only", "full,no_e_img", "--dry-run"]
    said = CliRunner().invoke(run, [*words, "--store", str(tmp_path / "runs")], catch_exceptions=False)
    assert said.exit_code == 0
    assert said.stderr.startswith("look 1 of at most 3, 2 seeds:\n")
    assert "2 seeds and 16 films" in said.stdout


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
