"""`harness runs` on a store with one finished run, and a second made of the same stages."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from harness.core.store import Store
from harness.results.comparison import compared
from harness.results.runs import runs
from tests.harness.finished import RUN, finished
from tests.harness.small import harness

SECOND = "talk"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the finished store, where the same was asked for again under a name of its own."""
    root = Path(shutil.copytree(finished(), tmp_path_factory.mktemp("named") / "runs", symlinks=True))
    done = harness(*RUN, "--name", SECOND, store=root, drawn=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"this run is named {SECOND}; its tables: harness report {SECOND}" in done.stderr
    return root


def test_runs_are_listed_and_shown(store: Path) -> None:
    listed = harness("runs", store=store).stdout.splitlines()
    assert listed[0].split() == ["run", "profile", "variants", "seeds", "tracks", "begun", "report"]
    assert listed[1].startswith(f"{SECOND} ")
    assert listed[2].startswith("ablation_eimg-base-full-consistent-50s-")
    assert listed == harness("runs", "list", store=store).stdout.splitlines()
    shown = harness("runs", "show", SECOND, store=store).stdout
    assert "train.steps=12" in shown
    assert f"--name {SECOND} " in shown
    assert f"harness run --store {store} ablation_eimg " in shown
    own = str(store / "reports" / SECOND / "report.html")
    over = harness("report", SECOND, "--format", "html", "--output", own, store=store)
    assert (over.returncode, "is a file of the store itself" in over.stderr) == (2, True)
    unknown = harness("runs", "show", "tlak", store=store)
    assert (unknown.returncode, "did you mean 'talk'?" in unknown.stderr) == (2, True)


def test_a_runs_page_is_opened_by_its_address(store: Path) -> None:
    address = harness("runs", "open", SECOND, store=store).stdout.strip()
    assert address == (store / "reports" / SECOND / "report.html").as_uri()


def test_a_report_is_called_as_its_run_and_two_runs_of_one_experiment_compare(store: Path) -> None:
    first = runs(store)[1].name
    assert (store / "reports" / SECOND / "report.md").read_text().startswith(f"# {SECOND}\n")
    frame, info = compared(Store(store), [first, SECOND], [])
    assert set(frame["experiment"]) == {f"{first} + {SECOND}"}
    assert list(info.variants) == ["base", "full"]  # made by the same stages


def test_an_experiments_only_run_is_found_by_its_name_and_of_several_one_must_be_chosen(store: Path) -> None:
    several = harness("report", "ablation_eimg", store=store)
    assert several.returncode == 2
    assert f"runs of that experiment: {SECOND}, ablation_eimg-base" in several.stderr
    assert "| full " in harness("report", "ablation_eimg", store=finished()).stdout


def test_a_removed_run_leaves_what_others_use(store: Path, tmp_path: Path) -> None:
    root = Path(shutil.copytree(store, tmp_path / "runs", symlinks=True))
    made = {path.parent for path in root.glob("artifacts/*/*/manifest.json")}
    said = harness("runs", "remove", SECOND, store=root).stdout
    assert "kept: 9 finished stages (models, films, scores), 9 of which other runs use" in said
    left = {path.parent for path in root.glob("artifacts/*/*/manifest.json")}
    assert {path.parent.name for path in made - left} == {"report"}
    assert not (root / "reports" / SECOND).is_symlink()
    assert [run.name for run in runs(root)] == [runs(store)[1].name]
    assert harness("report", SECOND, store=root).returncode == 2
    assert Store(root).done("report", runs(root)[0].report)
    with closing(sqlite3.connect(root / "mlflow.db")) as database:
        counts = dict(database.execute("select lifecycle_stage, count(*) from runs group by lifecycle_stage"))
        assert counts == {"active": 3, "deleted": 3}
        kept = database.execute("select value from tags join runs using (run_uuid) where lifecycle_stage = 'active'")
        assert not [value for (value,) in kept if SECOND in value]
        (views,) = database.execute(
            "select count(*) from experiment_tags where key like 'mlflow.sharedView%'"
        ).fetchone()
        assert views == 1


def test_two_runs_of_one_experiment_stay_apart_in_mlflow(store: Path) -> None:
    with closing(sqlite3.connect(store / "mlflow.db")) as database:
        names = [name for (name,) in database.execute("select name from runs")]
        (experiments,) = database.execute("select count(*) from experiments where experiment_id > 0").fetchone()
        views = [json.loads(value)["name"] for (value,) in database.execute(
            "select value from experiment_tags where key like 'mlflow.sharedView%'"
        )]  # fmt: skip
    assert sorted(views) == sorted(run.name for run in runs(store))
    assert {name for name in names if " · tiny · " in name} == {f"{run.name} · tiny · 1 seed" for run in runs(store)}
    assert experiments == 1
