"""The command end to end at a small size: run, run again, kill and run again, reports, MLflow."""

import json
import re
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

from harness.results.runs import runs
from tests.harness.finished import FIRST, RUN, copied, finished, table
from tests.harness.small import ONE_TRACK, ROOT, SMALL, command, environment, harness, prepared, process


@pytest.fixture(scope="session")
def store() -> Path:
    """Of one small run, which other processes may be reading: stages are added to a copy."""
    return finished()


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The same stages in a store of the test's own."""
    return copied(tmp_path / "runs")


def test_the_table_comes_last_and_names_every_variant(store: Path) -> None:
    rows = (store.parent / FIRST).read_text()
    assert "| base " in rows
    assert "| full " in rows


def test_again_everything_is_cached_and_the_table_is_the_same(store: Path) -> None:
    before = {path: path.read_text() for path in store.glob("artifacts/*/*/manifest.json")}
    done = harness(*RUN, store=store)
    assert done.returncode == 0
    assert table(done.stdout) == (store.parent / FIRST).read_text()
    assert "10 of 10 stages were done already" in done.stderr
    assert re.search(r"\ntook \d+ s; MLflow: harness ui \S+ --store .*\npage: file:///\S+/report\.html\n$", done.stderr)
    assert done.stdout.rstrip().splitlines()[-1].startswith("On late placed PSNR (consistent-50s), ")
    assert {path: path.read_text() for path in store.glob("artifacts/*/*/manifest.json")} == before


def test_until_decided_looks_at_two_seeds_stops_where_no_more_would_tell_and_goes_on_where_it_was(copy: Path) -> None:
    until = (*RUN, "--until", "decided", "--at-most-seeds", "3")
    done = harness(*until, store=copy, drawn=False)
    assert done.returncode == 0, done.stderr
    assert "look 1 of at most 2, 2 seeds: undecided: base on consistent-50s" in done.stderr
    assert done.stderr.rstrip().endswith("no number of seeds decides rows that share fewer than 6 scored samples")
    assert len(list(copy.glob("artifacts/train/*/manifest.json"))) == 2
    before = {path: path.stat().st_mtime_ns for path in copy.glob("artifacts/*/*/manifest.json")}
    again = harness(*until, store=copy, drawn=False)
    assert table(again.stdout) == table(done.stdout)
    assert {path: path.stat().st_mtime_ns for path in copy.glob("artifacts/*/*/manifest.json")} == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at-most-seeds", "3"), "--at-most-seeds 3 goes with --until decided; for so many seeds say --seeds 3"),
        (("--until", "decided", "--seeds", "6"), "6 seeds, but --at-most-seeds 5; give fewer, or allow more"),
        (("--until", "decided", "--executor", "slurm", "--detach"), "leave --detach out"),
    ],
)
def test_what_does_not_go_with_until_is_refused(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = harness(*RUN, *words, store=tmp_path / "runs")
    assert done.returncode == 2
    assert said in done.stderr


def test_films_have_their_true_duration(store: Path) -> None:
    folders = list((store / "artifacts" / "generate").iterdir())
    assert len(folders) == 2
    for folder in folders:
        assert np.load(folder / "frames.npy", mmap_mode="r").shape == (2, 100, 16, 16, 3)
        for video in (folder / "videos").iterdir():
            with av.open(str(video)) as container:
                stream = container.streams.video[0]
                assert float(stream.duration * stream.time_base) == pytest.approx(50.0)


@pytest.mark.slow
@pytest.mark.parametrize("words", [("--recipe", "paper"), ("--recipe", "code"), ("train.adapter=lora",)])
def test_recipes_and_lora_run(copy: Path, words: tuple[str, ...]) -> None:
    done = harness("run", "ablation_eimg", "--only", "full", ONE_TRACK, *SMALL, "train.rank=4", *words, store=copy)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "| full " in table(done.stdout)


@pytest.mark.slow
def test_two_ranks_through_deepspeeds_launcher(copy: Path) -> None:
    words = ("run", "ablation_eimg", "--only", "full", ONE_TRACK, *SMALL, "train.ranks=2")
    done = process(*words, store=copy)
    assert done.returncode == 0, done.stderr[-2000:]
    logs = [(folder / "log.txt").read_text() for folder in (copy / "artifacts" / "train").iterdir()]
    assert sum("dist_world_size=2" in log for log in logs) == 1


@pytest.mark.slow
def test_the_papers_fixed_number_of_clips(copy: Path) -> None:
    done = harness(
        "run", "ablation_eimg", "--only", "base", ONE_TRACK, *SMALL, "generate.length=paper_clips", store=copy, drawn=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    lengths = {np.load(p, mmap_mode="r").shape[1] for p in (copy / "artifacts" / "generate").glob("*/frames.npy")}
    assert 10 * 4 + 1 in lengths


def test_everything_lies_beneath_the_store(store: Path) -> None:
    assert {p.name for p in store.parent.iterdir()} == {"runs", FIRST}
    assert not list((store / "partial").iterdir())


def test_plan_says_why(store: Path) -> None:
    done = harness("plan", "ablation_eimg", "--only", "full,no_e_img", "--long", ONE_TRACK, *SMALL, store=store)
    lines = {tuple(line.split()[:2]): line for line in done.stdout.splitlines() if line}
    assert "cached" in lines["train", "full,"]
    assert "injection.p_img is 0.0, not 0.9" in lines["train", "no_e_img,"]
    assert "its train is another one" in lines["generate", "no_e_img,"]
    whole = json.loads(harness("plan", "ablation_eimg", ONE_TRACK, *SMALL, "--json", store=store).stdout)
    assert whole["missing"] == 25


def test_a_dry_run_is_the_plan_and_makes_nothing(tmp_path: Path) -> None:
    words = ("ablation_eimg", "--only", "full,no_e_img", ONE_TRACK, *SMALL)
    dry, planned = (harness(*command, *words, store=tmp_path / "runs") for command in (("run", "--dry-run"), ("plan",)))
    assert dry.returncode == 0
    assert dry.stdout == planned.stdout != ""
    assert {p.name for p in (tmp_path / "runs").iterdir()} <= {"store.json", "fingerprints.json"}


def test_a_runtime_setting_changes_nothing_an_identity_setting_does(store: Path) -> None:
    same = harness("plan", *RUN[1:], "tracking.uri=http://127.0.0.1:9", "--json", store=store)
    assert json.loads(same.stdout)["cached"] == 10
    other = harness("plan", *RUN[1:], "bank.capacity=63", "--json", store=store)
    assert (
        json.loads(other.stdout)["cached"] == 5
    )  # base model, latent cache, the films of base, their forecast and scores


def test_reports_are_printed(store: Path, tmp_path: Path) -> None:
    assert "| full " in harness("report", "ablation_eimg", store=store).stdout
    csv = harness("report", "ablation_eimg", "--format", "csv", store=store).stdout
    assert csv == harness("report", "ablation_eimg", "--format", "csv", store=store).stdout
    assert csv.startswith("experiment,variant,track,seed,sample,metric,view,clip,value")
    assert r"\toprule" in harness("report", "ablation_eimg", "--format", "latex", store=store).stdout
    page = tmp_path / "talk" / "page.html"
    harness("report", "ablation_eimg", "--format", "html", "--output", str(page), store=store)
    assert "<video" in page.read_text()


def test_mlflow_has_parent_children_curves_and_artifacts(store: Path) -> None:
    with sqlite3.connect(store / "mlflow.db") as db:
        names = dict(db.execute("select name, status from runs"))
        assert names == {
            f"{runs(store)[-1].name} · tiny · 1 seed": "FINISHED",
            "base · seed 0": "FINISHED",
            "full · seed 0": "FINISHED",
        }
        keys = {key for (key,) in db.execute("select distinct key from metrics")}
        assert {"train/loss", "bank/fill", "score/consistent-50s/background_psnr"} <= keys
        (steps,) = db.execute(
            "select count(distinct step) from metrics where key = 'score/consistent-50s/background_psnr'"
        ).fetchone()
        assert steps == 25
        tags = {key for (key,) in db.execute("select distinct key from tags")}
        assert {"harness.signature", "git.commit", "git.dirty", "backbone", "profile"} <= tags
    kept = {p.name for p in (store / "mlartifacts").rglob("*") if p.is_file()}
    assert {"report.html", "scene-00.mp4", "config.json"} <= kept


def test_a_run_in_mlflow_lasts_as_long_as_its_stages_took_also_when_all_is_done_already(store: Path) -> None:
    assert harness(*RUN, store=store).returncode == 0
    manifests = [json.loads(path.read_text()) for path in store.glob("artifacts/*/*/manifest.json")]
    with sqlite3.connect(store / "mlflow.db") as db:
        lasts = dict(db.execute("select name, (end_time - start_time) / 1000.0 from runs"))
    of_full = [m["seconds"] for m in manifests if m["label"].startswith("full, seed 0")]
    assert lasts["full · seed 0"] == pytest.approx(sum(of_full), abs=0.01)
    (whole,) = (seconds for name, seconds in lasts.items() if " · tiny · " in name)
    assert whole == pytest.approx(sum(m["seconds"] for m in manifests), abs=0.01)


def test_status(store: Path) -> None:
    assert "train      1 finished" in harness("status", store=store).stdout
    made = len(list((store / "artifacts" / "generate").iterdir()))
    assert json.loads(harness("status", "--json", store=store).stdout)["finished"]["generate"] == made


def killed_when(root: Path, moment: Callable[[], bool]) -> None:
    """A run in processes of its own, of which the command alone is killed: its workers must notice by themselves.

    A run that is done by then is left as it is: how far one comes in some seconds is the machine's affair.
    """
    running = subprocess.Popen(
        command(*RUN, store=root), env=environment(), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 300
    while not moment() and running.poll() is None:
        assert time.monotonic() < deadline, "it did not come so far in time"
        time.sleep(0.02)
    running.kill()  # nothing to one that has ended, whose number may be another's by now
    running.wait()


@pytest.mark.slow
def test_killed_in_the_training_then_run_again_gives_the_same_table(store: Path, tmp_path: Path) -> None:
    root = prepared(tmp_path / "runs")
    killed_when(root, lambda: any(root.glob("partial/train-*/checkpoints/latest.json")))
    assert not list(root.glob("artifacts/train/*"))
    done = harness(*RUN, store=root, drawn=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert table(done.stdout) == (store.parent / FIRST).read_text()


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [5, 7, 9, 11, 13, 16, 20])
def test_killed_at_any_moment_then_run_again_gives_the_same_table(store: Path, tmp_path: Path, seconds: int) -> None:
    root, moment = tmp_path / "runs", time.monotonic() + seconds
    killed_when(root, lambda: time.monotonic() > moment)
    done = harness(*RUN, store=root, drawn=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert table(done.stdout) == (store.parent / FIRST).read_text()


@pytest.mark.slow
def test_two_commands_on_one_store_share_the_work(store: Path, tmp_path: Path) -> None:
    root = tmp_path / "runs"
    pair = [
        subprocess.Popen(command(*RUN, store=root), env=environment(), cwd=ROOT, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    tables = {table(running.communicate(timeout=600)[0]) for running in pair}
    assert [running.returncode for running in pair] == [0, 0]
    assert tables == {(store.parent / FIRST).read_text()}
    with sqlite3.connect(root / "mlflow.db") as db:
        assert db.execute("select count(*) from runs").fetchone() == (3,)


def test_a_users_own_file(store: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "from harness import Variant, experiment\n"
        "@experiment(baseline='full', tracks=('consistent-50s',))\n"
        "def shorter():\n"
        "    '''Does a smaller bank do?'''\n"
        "    yield Variant('full')\n"
        "    yield Variant('small_bank', {'bank.capacity': 4})\n"
    )
    done = harness("plan", f"{tmp_path / 'mine.py'}:shorter", *SMALL, "--json", store=store)
    assert (
        json.loads(done.stdout)["cached"] == 6
    )  # shared with the ablation: base model, cache, and all of full but its report


def test_the_trivial_baselines_are_films_like_others_without_a_forecast(copy: Path) -> None:
    done = harness(
        "run", "ablation_eimg", "--only", "base,copy_*,ping_pong", ONE_TRACK, *SMALL, store=copy, drawn=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    (written,) = copy.glob("reports/*copy_*/report.md")
    assert re.search(r"^\| copy_image .*skipped", written.read_text(), re.MULTILINE)  # its gain
    films = [(json.loads(p.read_text()), p.parent) for p in (copy / "artifacts").glob("generate/*/film.json")]
    folders = {film["method"]: folder for film, folder in films if film["n_frames"] == 100}
    base = folders.pop("model")
    assert set(folders) == {"copy_image", "copy_clips", "ping_pong"}
    for method, folder in folders.items():
        frames = np.load(folder / "frames.npy")
        assert frames.shape == (2, 100, 16, 16, 3)
        assert (folder / "continuation.npy").read_bytes() == (base / "continuation.npy").read_bytes()
        assert (folder / "truth.npz").is_file()
        assert len(list((folder / "videos").iterdir())) == 2
        assert (frames[:, 0] == frames[:, -1]).all() == (method == "copy_image")
    assert np.array_equal(*(np.load(folders[m] / "frames.npy")[:, :5] for m in ("copy_clips", "ping_pong")))
    alone = harness("run", "ablation_eimg", "--only", "copy_image", ONE_TRACK, *SMALL, store=copy, drawn=False)
    assert alone.returncode == 0, alone.stderr[-2000:]
    assert "| copy_image " in table(alone.stdout)
