"""Which rows of a finished report are decided, and which look comes next."""

import math
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from harness.commands import until
from harness.commands.run import run
from harness.commands.until import Look, Looks, planned_next
from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.store import MANIFEST, Store
from harness.declare.spec import Variant, select
from harness.experiments import EXPERIMENTS
from harness.plan.kinds import REPORT
from harness.plan.pipeline import Pipeline, Request, build
from harness.results.decided import undecided
from harness.results.runs import RunRecord, finish
from reports.artifacts import SUMMARY
from reports.statistics.summary import summarise
from reports.tables.text import csv
from tests.harness.commands.wan_words import write_videos
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


def test_a_variant_may_be_called_as_it_likes(tmp_path: Path) -> None:
    store, names = Store(tmp_path / "runs"), {"base": "1", "full": "100", "no_e_img": "NA", "no_e_vid": "null"}
    asked = planned(tmp_path)
    variants = tuple(Variant(names[v.name], dict(v.set)) for v in asked.request.experiment.variants if v.name in names)
    called = asked.request.experiment.model_copy(update={"variants": variants, "baseline": "100"})
    pipeline = build(Request(called, "mine", "tiny"), tmp_path / "f.json")
    summary = summarise(study(), info())
    kept = summary[summary["variant"].isin(names)]
    assert reported(store, pipeline, kept.assign(variant=kept["variant"].map(names))) == {f"null on {TRACK}": 6}


def test_what_has_the_films_of_the_baseline_is_no_row_to_decide(tmp_path: Path) -> None:
    store, asked = Store(tmp_path / "runs"), planned(tmp_path)
    variants = tuple(
        Variant(v.name, {} if v.name == "no_e_vid" else dict(v.set)) for v in asked.request.experiment.variants
    )
    twice = asked.request.experiment.model_copy(update={"variants": variants})
    pipeline = build(Request(twice, "mine", "tiny"), tmp_path / "f.json")
    assert reported(store, pipeline, summarise(study(), info())) == {}


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


def options(store: Path, **more: object) -> dict[str, object]:
    """Of `Session.open`, as the command has them."""
    asked = {
        "name": "ablation_eimg",
        "overrides": (f"tracks={TRACK}",),
        "profile": "tiny",
        "recipes": (),
        "seeds": None,
    }
    return {**asked, "only": "full,no_e_vid", "store": store, "jobs": 1, **more}


def left_a_report(looks: Looks, look: Look) -> None:
    """As if the look had been carried out and left a row undecided: its report's summary alone."""
    session = looks.open(look)
    summary = summarise(study(), info(looks=session.pipeline.request.looks))
    assert reported(session.store, session.pipeline, summary) == {f"no_e_vid on {TRACK}": 6}


def test_films_are_doubled_up_to_the_budget_and_counted_among_the_looks(tmp_path: Path) -> None:
    looks = Looks.planned(options(tmp_path), at_most=3, films=50)
    assert looks.films == (16, 32, 50)
    assert looks.name(Look(3, 1)) == "look 3 of at most 4, 3 seeds of 32 films"
    assert looks.after(Look(2)) == [Look(3), Look(2, 1)]
    assert looks.after(Look(3, 1)) == [Look(3, 2)]
    assert looks.after(Look(2, 2)) == [Look(3, 2)]
    assert looks.after(Look(3, 2)) == []
    request = looks.open(Look(3, 1)).pipeline.request
    assert request.looks == 4
    assert "--seeds 0,1, --until decided --at-most-seeds 3 --at-most-films 50 tracks=" in request.command
    assert Looks.planned(options(tmp_path), at_most=3, films=16).films == ()


def test_a_look_of_more_films_differs_in_these_alone_and_keeps_the_name(tmp_path: Path) -> None:
    looks = Looks.planned(options(tmp_path), at_most=3, films=32)
    first, more = (looks.open(look).pipeline for look in (Look(2), Look(2, 1)))
    plain = Looks.planned(options(tmp_path), at_most=3).open(Look(2)).pipeline
    kinds = {node.kind for node in more.graph if node.signature not in {one.signature for one in first.graph}}
    assert kinds == {"generate", "forecast", "score", "report"}
    assert {one.signature for one in plain.graph} ^ {one.signature for one in first.graph} == {
        plain.report,
        first.report,
    }
    assert more.request.name == first.request.name == plain.request.name
    assert {child.resolved.settings.generate.samples for child in more.children} == {32}


def test_a_command_goes_on_at_the_last_look_whose_report_is_there_on_whichever_path(tmp_path: Path) -> None:
    looks = Looks.planned(options(tmp_path), at_most=4, films=64)
    assert looks.reached() == Look(2)
    for look in (Look(2), Look(2, 1), Look(3, 1)):
        left_a_report(looks, look)
        assert looks.reached() == look
    assert Looks.planned(options(tmp_path), at_most=3, films=64).reached() == Look(2)  # another plan
    assert Looks.planned(options(tmp_path), at_most=4).reached() == Look(2)


def test_a_run_with_a_name_of_its_own_goes_on_too(tmp_path: Path) -> None:
    looks = Looks.planned(options(tmp_path, called="mine"), at_most=4, films=32)
    left_a_report(looks, Look(3))
    session = looks.open(Look(3))
    finish(RunRecord.of(session.pipeline), session.store.root)
    again = Looks.planned(options(tmp_path, called="mine"), at_most=4, films=32)
    assert (again.films, again.reached()) == ((16, 32), Look(3))


def test_what_is_added_shows_the_smaller_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks.planned(options(tmp_path), at_most=3, films=32)
    left_a_report(looks, Look(2))
    for seeds, films, expected in ((0.9, 0.7, Look(2, 1)), (0.7, 0.9, Look(3)), (math.nan, math.nan, Look(3))):
        factors = {Look(3): seeds, Look(2, 1): films}
        signatures = {looks.open(look).pipeline.report: factor for look, factor in factors.items()}
        monkeypatch.setattr(until, "shown_by", lambda later, *_, known=signatures: known[later.report])
        following = looks.following(Look(2), looks.open(Look(2)))
        assert following.look == expected
        assert set(following.left) == {f"no_e_vid on {TRACK}"}
    assert looks.added(Look(2, 1), Look(2)) == "32 films"


def test_only_films_help_rows_of_too_few(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = Looks.planned(options(tmp_path, limit=2), at_most=3, films=8)
    assert looks.films == (2, 4, 8)
    for left, films, expected in ((2, 0, Look(2, 1)), (0, 0, None), (2, 2, None)):
        monkeypatch.setattr(until, "undecided", lambda *_, count=left: {"no_e_img on a track": count})
        following = looks.following(Look(2, films), looks.open(Look(2)))
        assert following.look == expected
        assert "fewer than 6 scored samples" in following.why


def test_films_end_where_samples_do(tmp_path: Path) -> None:
    words = (f"tracks={TRACK}", "eval.path=bundled")  # four
    assert Looks.planned(options(tmp_path, overrides=words, limit=1), at_most=2, films=100).films == (1, 2, 4)
    assert Looks.planned(options(tmp_path, overrides=words, limit=3), at_most=2, films=100).films == (3, 4)
    with pytest.raises(UseError, match="4 samples"):
        Looks.planned(options(tmp_path, overrides=words), at_most=2, films=100)


def test_films_that_start_from_what_is_held_back_are_not_added(tmp_path: Path) -> None:
    words = (f"tracks={TRACK}", f"data.path={write_videos(tmp_path)}", "data.fps=2")
    with pytest.raises(UseError, match=r"held back from data\.path"):
        Looks.planned(options(tmp_path, overrides=words), at_most=2, films=100)


def test_the_next_look_is_the_first_without_a_report(tmp_path: Path) -> None:
    looks = Looks.planned(options(tmp_path), at_most=2, films=32)
    assert planned_next(looks) == Look(2)
    left_a_report(looks, Look(2))
    assert planned_next(looks) == Look(2, 1)
    left_a_report(looks, Look(2, 1))
    assert planned_next(looks) == Look(2, 1)  # none is left


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
