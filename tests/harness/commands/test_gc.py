"""What is freed, and above all what is not."""

import json
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from harness.commands.gc import gc
from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.graph import Node
from harness.core.job import StageError
from harness.core.store import Store
from harness.core.use import in_use
from harness.results.reports import link_report
from harness.results.runs import RunRecord
from harness.run.worker import run_job
from tests.harness.run.stage_functions import node


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def made(store: Store, label: str, *upstream: Node, kind: str = "make") -> Node:
    one = node(label, upstream={"given": tuple(other.signature for other in upstream)}, kind=kind)
    run_job(str(store.root), one.fields(), {})
    return one


def record(name: str, report: str, stages: Sequence[str], **more: object) -> RunRecord:
    empty = {"overrides": {}, "only": None, "variants": [], "tracks": [], "seeds": [], "recipes": [], "command": ""}
    about = {"experiment": name, "source": name, "profile": "tiny", "begun": "2026-01-01T00:00:00+00:00"}
    return RunRecord(name=name, report=report, stages=stages, **empty, **about, **more)


def freed(store: Store, *options: str) -> Result:
    done = CliRunner().invoke(gc, [*options, "--store", str(store.root)], catch_exceptions=False)
    assert done.exit_code == 0
    return done


def left(store: Store) -> set[str]:
    return {json.loads(path.read_text())["label"] for path in (store.root / "artifacts").glob("*/*/manifest.json")}


def test_what_runs_reports_mlflow_and_sweeps_stand_on_stays(store: Store) -> None:
    base = made(store, "base")
    asked = made(store, "asked for", base)
    reported = made(store, "only its report names it", base)
    mirrored = made(store, "in MLflow")
    made(store, "trial-007, seed 100")
    made(store, "forgotten", base)
    report = made(store, "report", reported, kind="report")
    record("one", "0" * 64, [asked.signature]).keep(store.root)
    link_report(store.root, "two", store.artifact("report", report.signature))
    (store.root / "tracking").mkdir()
    mark = {"runs": {"r": {"run_id": "1", "pieces": {"model": f"{mirrored.signature}:weights"}}}}
    write_json(store.root / "tracking" / "x.json", mark)
    before = left(store)
    said = freed(store, "--days", "0").stdout
    assert ("make forgotten" in said, "can be freed" in said) == (True, True)
    assert left(store) == before
    assert "freed" in freed(store, "--days", "0", "--delete").stdout
    assert before - left(store) == {"forgotten"}
    assert freed(store, "--days", "0").stdout == "nothing to free\n"


def test_an_extension_that_was_cut_short_stays(store: Store) -> None:
    """The record of a finished run keeps its name until the longer one is finished; what that has made is kept too."""
    from harness.results.runs import begin, find_run, finish

    first, second = made(store, "seed 0"), made(store, "seed 1")
    finish(record("one", "0" * 64, [first.signature]), store.root)
    begin(record("one", "1" * 64, [first.signature, second.signature]), store.root)
    assert find_run(store.root, "one").report == "0" * 64
    freed(store, "--days", "0", "--delete")
    assert left(store) == {"seed 0", "seed 1"}
    finish(record("one", "1" * 64, [first.signature]), store.root)
    freed(store, "--days", "0", "--delete")
    assert left(store) == {"seed 0"}


def test_what_is_young_stays(store: Store) -> None:
    one = made(store, "new")
    freed(store, "--delete")
    assert left(store) == {"new"}
    for path in (store.find(one.signature), *store.find(one.signature).iterdir()):
        os.utime(path, (0, 0))
    freed(store, "--delete")
    assert left(store) == set()


def test_a_stage_cut_short_stays_while_a_run_asks_for_it(store: Store) -> None:
    asked, other = node("asked", "die_later"), node("other", "die_later")
    for one in (asked, other):
        with pytest.raises(StageError):
            run_job(str(store.root), one.fields(), {})
    record("one", "0" * 64, [asked.signature]).keep(store.root)
    with store.lock("make", other.signature):
        assert freed(store, "--days", "0").stdout == "nothing to free\n"
    freed(store, "--days", "0", "--delete")
    assert [store.partial("make", one.signature).exists() for one in (asked, other)] == [True, False]


def test_nothing_is_freed_while_a_command_works(store: Store) -> None:
    made(store, "forgotten")
    with in_use(store.locks), pytest.raises(UseError, match="a command is working in"):
        freed(store, "--days", "0", "--delete")
    assert left(store) == {"forgotten"}


def test_a_damaged_record_stops_it(store: Store) -> None:
    made(store, "whose?")
    (store.root / "run_records").mkdir()
    (store.root / "run_records" / "one.json").write_text('{"name": ')
    with pytest.raises(UseError, match=r"one\.json is damaged .* nobody knows"):
        freed(store, "--days", "0", "--delete")


def test_clips_stay_while_a_film_has_them(store: Store) -> None:
    film = made(store, "film", kind="film")
    for empty in ("desk/.pictures", "desk/half-made", "partial/film-0123456789abcdef"):  # no film's, or of no clip yet
        (store.root / empty).mkdir(parents=True)
    for name in ("aa", "bb"):
        (store.root / "takes" / name).mkdir(parents=True)
    assert freed(store, "--days", "0").stdout == "nothing to free\n"  # the film does not say which are its own
    (store.find(film.signature) / "takes.json").write_text(json.dumps(["aa" * 32]))
    freed(store, "--days", "0", "--delete")
    assert [path.name for path in (store.root / "takes").iterdir()] == ["aa"]
    (store.root / "desk" / "mine").mkdir(parents=True)
    (store.root / "desk" / "mine" / "takes.json").write_text(json.dumps(["aa"]))
    (store.root / "desk" / "mine" / "making.json").write_text("{}")
    freed(store, "--days", "0", "--delete", "--films")
    assert (left(store), [path.name for path in (store.root / "takes").iterdir()]) == (set(), ["aa"])
    (store.root / "desk" / "mine" / "takes.json").write_text("[]")
    freed(store, "--days", "0", "--delete", "--films")
    assert (left(store), list((store.root / "takes").iterdir())) == (set(), [])


def test_what_a_film_of_the_desk_or_one_cut_short_is_made_with_stays(store: Store) -> None:
    base, other = made(store, "the desk's"), made(store, "a film's")
    (store.root / "desk" / "mine").mkdir(parents=True)
    write_json(store.root / "desk" / "mine" / "making.json", {"base": [base.signature]})
    film = node("single", "die_later", upstream={"model": other.signature}, kind="film")
    with pytest.raises(StageError):
        run_job(str(store.root), film.fields(), {})
    assert freed(store, "--days", "0").stdout == "nothing to free\n"
    freed(store, "--days", "0", "--delete", "--films")
    assert left(store) == {"the desk's"}


def test_a_removal_that_is_killed_leaves_nothing_in_the_way(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    made(store, "forgotten")

    def killed(folder: Path) -> None:
        (folder / "manifest.json").unlink()
        raise KeyboardInterrupt

    with monkeypatch.context() as once:
        once.setattr("shutil.rmtree", killed)
        CliRunner().invoke(gc, ["--days", "0", "--delete", "--store", str(store.root)])
    assert left(store) == set()
    made(store, "forgotten")
    assert left(store) == {"forgotten"}
    assert "a command was killed" in freed(store, "--days", "0").stdout


def test_what_killed_writers_left_goes(store: Store) -> None:
    (store.root / f".fingerprints.json.{'a' * 32}").touch()
    (store.root / ".hidden").touch()
    freed(store, "--days", "0", "--delete")
    assert [path.name for path in store.root.glob(".*")] == [".hidden"]
    assert asdict(record("a", "b", []))["extension"] == ()
