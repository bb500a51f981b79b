"""`harness results`: the page of a store, of experiments of one's own too, and the runs that it still lacks."""

import json
from pathlib import Path

import pytest

from harness.declare.spec import parse_overrides
from harness.results.reports import link_report
from tests.harness.finished import copied
from tests.harness.small import SMALL, harness

MINE = """
from harness import Variant, experiment

SMALL = {settings!r}


@experiment(tracks=("consistent-50s",), trivial=False, settings=SMALL, published="Yes (nobody, 2026).")
def first():
    '''Does training help?'''
    yield Variant("base", {{"train.enabled": False}})
    yield Variant("full")


@experiment(baseline="base", tracks=("consistent-50s",), trivial=False, settings=SMALL)
def second():
    '''What is the base model worth?'''
    yield Variant("base", {{"train.enabled": False}})


@experiment(baseline="base", tracks=("consistent-50s",), seeds=(0, 7))
def third():
    '''Is it so with other seeds?'''
    yield Variant("base", {{"train.enabled": False}})
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A file of experiments; the finished store has the stages of the first two but for their reports."""
    file = tmp_path / "mine.py"
    file.write_text(MINE.format(settings=parse_overrides(SMALL)))
    return str(file)


def test_a_store_with_some_runs_makes_a_page_and_the_others_are_run_where_it_is_asked_for(
    mine: str, tmp_path: Path
) -> None:
    store, file = copied(tmp_path / "runs"), tmp_path / "results.md"
    names = (f"{mine}:first", f"{mine}:second")
    assert harness("run", names[0], store=store, drawn=False).returncode == 0
    some = harness("results", *names, store=store)
    assert some.returncode == 0, some.stderr
    assert "| [first](#first): Does training help? |" in some.stdout
    assert "| Yes (nobody, 2026). |" in some.stdout
    head, _, missing = some.stdout.partition("## Not run yet\n\n")
    assert missing == "- `second`: What is the base model worth?\n"
    assert " --run --seeds 1\n```" in head
    done = harness("results", *names, "--run", "--write", str(file), store=store, drawn=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"written to {file}\n")
    text = file.read_text()
    assert "## second" in text
    assert "Not run yet" not in text
    assert " --run --seeds 1\n```" in text
    more = harness("results", *names, f"{mine}:third", store=store)
    assert " --run --seeds 0,7\n```" in more.stdout  # what was run, and what another declares
    assert head.partition("## first")[2].rstrip() in text  # as it was: nothing of it was made again
    assert len(list(store.glob("artifacts/train/*/manifest.json"))) == 1


def test_all_that_are_built_in_unless_some_are_named(tmp_path: Path) -> None:
    store = copied(tmp_path / "runs")
    done = harness("results", store=store)
    assert done.returncode == 0, done.stderr
    assert "harness results --run --seeds 3" in done.stdout
    # The finished run overrides settings and so has another name: it is not what the experiment asks.
    assert "- `ablation_eimg`: Is the conditioning-frame error" in done.stdout


def test_a_report_of_an_older_version_is_left_out_and_does_not_cost_the_page(tmp_path: Path) -> None:
    store = copied(tmp_path / "runs")
    [folder] = store.glob("artifacts/report/*")
    link_report(store, "ablation_eimg", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["identity"]["scored"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    done = harness("results", "ablation_eimg", "bank_size", store=store)
    assert done.returncode == 0, done.stderr
    assert "left out: the report of ablation_eimg is of an older version" in done.stderr
    assert "- `ablation_eimg`: Is the" in done.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--seeds", "3"), "--seeds 3 goes with --run"),
        (("--run", "--write", "nowhere/results.md"), "no folder nowhere; make it"),
        (("bank_size", "--run", "--seeds", "5,"), "--seeds 5,: bank_size also declares 0, and the page"),
        (("bank_size", "--run", "--seeds", "7,5"), "runs of all seeds that are declared; say --seeds 0,5,7"),
        (("bank_sise",), "did you mean 'bank_size'"),
        ((), "no store there"),
    ],
)
def test_what_cannot_be_asked_is_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    store = tmp_path / "none" if not words else copied(tmp_path / "runs")
    done = harness("results", *words, store=store)
    assert done.returncode == 2
    assert said in done.stderr
