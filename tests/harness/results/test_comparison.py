"""Experiments side by side: which rows there are, what they are called, and what is refused; on reports made up by hand."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest

from benchmarks.artifacts import FRAME_SCORES, FRAMES, TRUTH
from benchmarks.films.info import FilmInfo, FilmSample
from benchmarks.suites.record import ScoredMetric, ScoreRecord
from harness.commands.report import show_report
from harness.core.atomic import write_json
from harness.core.errors import UseError
from harness.core.store import Store
from harness.results.comparison import compared
from harness.results.reports import link_report
from harness.results.scored_videos import RECORDS
from reports.statistics.summary import summarise
from reports.statistics.view import ReportView
from reports.tables.owners import owners_grids
from svi.generation.video import write_mp4
from tests.undrawn import undrawn

TRACK, FILMS = "consistent-50s", ("a", "b", "c", "d", "e", "f")


def artifact(store: Store, kind: str, name: str, identity: Mapping[str, Any], upstream: Mapping[str, Any]) -> str:
    """A finished artifact; what is named alike is one and the same."""
    signature = hashlib.sha256(f"{kind} {name}".encode()).hexdigest()
    folder = store.artifact(kind, signature)
    folder.mkdir(parents=True, exist_ok=True)
    about = {"kind": kind, "identity": dict(identity), "upstream": dict(upstream), "seconds": 10.0}
    write_json(folder / "manifest.json", about)
    return signature


def scores(
    store: Store, name: str, late: float, suite: int = 1, kind: str = "score", films: Sequence[str] = FILMS
) -> str:
    """A Score artifact: background PSNR of ten clips, which ends at `late`."""
    signature = artifact(store, kind, name, {}, {})
    folder = store.artifact(kind, signature)
    noise = np.random.default_rng(len(name)).normal(0, 0.1, (len(films), 10))
    metric = ScoredMetric("background_psnr", "higher", "1", "dB", "clip", (), "", weights={}, compared_with="")
    ScoreRecord(
        track=TRACK,
        track_version=1,
        samples=tuple(films),
        samples_hash=hashlib.sha256(repr(films).encode()).hexdigest(),
        fps=8.0,
        resolution="16x16",
        n_clips=10,
        suite="native",
        suite_version=str(suite),
        device="cpu",
        metrics={"background_psnr": metric},
        values={"background_psnr": np.linspace(30, late, 10) + noise},
    ).write(folder)
    return signature


def experiment(
    store: Store,
    name: str,
    variants: Mapping[str, tuple[str, float]],
    tracks: Sequence[str] = (TRACK,),
    seeds: Sequence[int] = (0,),
    suite: int = 1,
    trained: int = 500,
    films: Sequence[str] = FILMS,
) -> None:
    """A finished report: variant -> the name of what made it, and where its films end; the first one is the baseline."""
    made, scored = [], []
    keys = [[variant, seed, track] for variant in variants for seed in seeds for track in tracks]
    for variant, seed, track in keys:
        stages, late = variants[str(variant)]
        training = artifact(store, "train", f"{stages}{seed}", {"train.steps": trained, "train.seed": seed}, {})
        film = artifact(
            store, "generate", f"{stages}{track}{seed}", {"bank.capacity": 500, "track": track}, {"train": [training]}
        )
        folder = store.artifact("generate", film)
        (folder / "videos").mkdir(exist_ok=True)
        write_mp4(folder / "videos" / "a.mp4", np.zeros((8, 16, 16, 3), np.uint8), 8, 16, 16)
        samples = [FilmSample(name, ("a fox",), f"videos/{name}.mp4", (16, 16), f"start of {name}") for name in films]
        FilmInfo(TRACK, 1, "model", "0" * 64, 8.0, 5, 1, 2, 8, tuple(samples)).write(folder)
        made.append(film)
        scored.append(scores(store, f"{stages}{track}{seed}{suite}{films}", late, suite, films=films))
    identity = {
        "experiment": name, "question": f"Why {name}?", "baseline": next(iter(variants)), "compare_to": "svi-4", "profile": "tiny",
        "variants": {variant: {"bank.capacity": 10} if variant == "small" else {} for variant in variants},
        "tracks": list(tracks), "seeds": list(seeds), "rows": keys, "scored": keys,
    }  # fmt: skip
    report = artifact(store, "report", name, identity, {"generate": made, "score": scored})
    folder = store.artifact("report", report)
    (folder / "report.md").write_text(f"# {name}\n")
    (folder / "reproduce.txt").write_text(f"harness run {name} --seeds 1\n")
    link_report(store.root, name, folder)


def record(store: Store, name: str, videos: Path, late: float, suite: int = 1) -> None:
    """Scored videos of a folder."""
    signature = scores(store, name, late, suite, kind="video_scores")
    folder = store.root / RECORDS / TRACK
    folder.mkdir(parents=True, exist_ok=True)
    about = {"name": name, "track": TRACK, "videos": str(videos), "scores": {"native": signature}, "by_name": False}
    write_json(folder / f"{name}.json", about | {"command": f"harness score {videos} --name {name}"})


def declare(store: Store, name: str, **changes: Any) -> None:
    """Write into a finished report's identity."""
    path = (store.root / "reports" / name).resolve() / "manifest.json"
    about = json.loads(path.read_text())
    about["identity"].update(changes)
    path.write_text(json.dumps(about))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Two experiments that share `full` and each have a variant `small` of their own; and scored videos."""
    opened = Store(tmp_path / "runs")
    experiment(opened, "one", {"full": ("full", 29.0), "small": ("small of one", 20.0)})
    experiment(opened, "two", {"full": ("full", 29.0), "small": ("small of two", 25.0), "large": ("large", 28.0)})
    (tmp_path / "videos").mkdir()
    record(opened, "FramePack", tmp_path / "videos", 27.0)
    return opened


def test_names_that_clash_are_told_apart_and_what_is_shared_is_one_row(store: Store) -> None:
    frame, info = compared(store, ["one", "two"], [])
    assert list(info.variants) == ["full", "one/small", "two/small", "large"]
    assert set(frame["variant"]) == set(info.variants)
    assert len(frame) == 4 * len(FILMS) * 10
    assert (info.baseline, info.experiment) == ("full", "one + two")
    assert info.question == "one: Why one? two: Why two?"
    assert info.reproduce.splitlines() == ["harness run one --seeds 1", "harness run two --seeds 1"]
    assert info.costs["generate"] == "40 s"  # the film that both have was made once
    assert info.settings["large"] == {"bank.capacity": 500}
    assert info.compare_to == ("svi-4",)


def test_what_is_shared_is_one_row_whatever_else_either_was_run_on(store: Store) -> None:
    experiment(store, "more", {"full": ("full", 29.0), "wide": ("wide", 28.0)}, [TRACK, "creative-50s"], seeds=(0, 1))
    frame, info = compared(store, ["one", "more"], [])
    assert list(info.variants) == ["full", "small", "wide"]
    assert info.baseline == "full"
    assert set(frame["track"]) == {TRACK}
    assert {name: sorted(set(rows["seed"])) for name, rows in frame.groupby("variant", observed=True)} == {
        "full": [0, 1], "small": [0], "wide": [0, 1],
    }  # fmt: skip
    assert len(frame[frame["variant"] == "full"]) == 2 * len(FILMS) * 10
    experiment(store, "elsewhen", {"full": ("full", 29.0)}, seeds=(2,))
    assert list(compared(store, ["one", "elsewhen"], [])[1].variants) == ["one/full", "small", "elsewhen/full"]


def test_settings_in_which_the_experiments_differ_are_told(store: Store) -> None:
    experiment(store, "longer", {"long": ("long", 30.0)}, ["creative-50s", TRACK], seeds=(7,), trained=2000)
    _, info = compared(store, ["one", "longer"], [])
    assert info.settings == {
        "full": {"bank.capacity": 500, "train.steps": 500},
        "small": {"bank.capacity": 500, "train.steps": 500},
        "long": {"bank.capacity": 500, "train.steps": 2000},
    }
    assert compared(store, ["one"], [])[1].settings["full"] == {"bank.capacity": 500}


def test_of_many_films_and_few_of_the_same_scenes_the_few_are_compared(store: Store) -> None:
    many = [*FILMS, "g", "h"]
    experiment(store, "many", {"full": ("full of many", 29.0), "small": ("small of many", 20.0)}, films=many)
    frame, info = compared(store, ["many", "one"], [])
    assert list(info.variants) == ["many/full", "many/small", "one/full", "one/small"]
    assert {name: sorted(set(rows["sample"])) for name, rows in frame.groupby("variant", observed=True)} == {
        name: list(FILMS) for name in info.variants
    }
    assert "On consistent-50s only the 6 samples that all have are compared, of up to 8." in info.caption
    assert summarise(frame, info).query("variant == 'one/full' and statistic == 'late'")["delta_n"].item() == len(FILMS)
    assert {Path(film).stem for films in info.videos[TRACK].values() for film in films} <= set(FILMS)


@pytest.mark.parametrize(("few", "kept"), [(FILMS[:4], True), ((FILMS[0], *FILMS[2:]), False)])
def test_frames_in_arrays_are_those_of_the_films_that_are_compared(
    store: Store, few: Sequence[str], kept: bool
) -> None:
    experiment(store, "few", {"full": ("full of few", 29.0)}, films=few)
    for folder in store.root.glob("artifacts/generate/*"):
        np.save(folder / FRAMES, np.zeros((len(FILMS), 8, 16, 16, 3), np.uint8))
    info = compared(store, ["one", "few"], [])[1]
    assert [Path(film).stem for film in info.videos[TRACK]["one/full"]] == list(few)
    assert {Path(film).suffix for film in info.frames[TRACK].values()} == {".npy" if kept else ".mp4"}


def test_the_start_image_is_known_under_the_name_of_its_row(store: Store) -> None:
    for name in ("first", "second"):
        experiment(store, name, {"full": (f"full of {name}", 29.0), "copy_image": (f"copy of {name}", 20.0)})
        declare(store, name, variants={"full": {}, "copy_image": {"generate.method": "copy_image"}})
    assert compared(store, ["first"], [])[1].still == "copy_image"
    assert compared(store, ["first", "second"], [])[1].still == "first/copy_image"


def test_the_objects_of_the_known_world_are_counted(store: Store) -> None:
    assert compared(store, ["one"], [])[1].objects == 1
    for folder in store.root.glob("artifacts/generate/*"):
        np.savez(folder / TRUTH, places=np.zeros((len(FILMS), 8, 2, 2)))
    assert compared(store, ["one"], [])[1].objects == 2


def test_drifts_of_shared_films_count_once_and_ratings_are_of_the_films_of_all(store: Store) -> None:
    experiment(store, "more", {"full": ("full", 29.0)}, seeds=(0, 1))
    generator = np.random.default_rng(0)
    for folder in store.root.glob("artifacts/score/*"):
        values = generator.uniform(0.4, 0.7, (len(FILMS), 100))
        np.savez(folder / FRAME_SCORES, background_psnr=values, aesthetic_quality=values)
    frame, info = compared(store, ["one", "more", "two"], [])
    drifts = info.drifts
    assert drifts is not None
    assert not drifts.duplicated(["variant", "track", "seed", "sample", "metric", "definition", "at"]).any()
    assert set(drifts["variant"]) == set(info.variants)
    assert sorted(set(drifts.loc[drifts["variant"] == "full", "seed"])) == [0, 1]
    numbers, *_, ratings = owners_grids(ReportView.of(frame, info).tracks[0])
    assert "n = 2 seeds" in numbers.notes[0]
    assert [row[0].text for row in ratings.rows] == list(info.rows)


@pytest.mark.parametrize("names", [("one", "two"), ("two", "one")])
def test_every_row_s_forecast_knows_its_misses_and_the_run_of_more_looks_sets_alpha(
    store: Store, names: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = {"clips": 2, "base": None, "trainings": [{"train.steps": 500}], "misses": {"placed_psnr": [-1.6]}}
    monkeypatch.setattr("harness.results.misses._kept", lambda: kept)
    declare(store, "two", looks=4)
    _, info = compared(store, names, [])
    assert info.misses == {TRACK: {row: {"placed_psnr": (-1.6,)} for row in info.variants}}
    assert info.alpha == 0.05 / 4


def test_films_of_other_scenes_are_not_compared(store: Store) -> None:
    experiment(store, "others", {"full": ("full of others", 29.0)}, films=["x", "y"])
    with pytest.raises(UseError, match="on the same samples"):
        compared(store, ["one", "others"], [])


def test_two_runs_of_one_experiment_are_told_apart_by_their_names(store: Store) -> None:
    experiment(store, "longer", {"full": ("longer full", 30.0), "small": ("longer small", 20.0)})
    manifest = next(
        path for path in store.root.glob("artifacts/report/*/manifest.json") if "Why longer" in path.read_text()
    )
    manifest.write_text(manifest.read_text().replace("Why longer?", "Why one?").replace('"longer"', '"one"'))
    _, info = compared(store, ["one", "longer"], [])
    assert list(info.variants) == ["one/full", "one/small", "longer/full", "longer/small"]
    assert info.question == "one, longer: Why one?"


@pytest.mark.slow
def test_a_comparison_is_a_page_and_every_other_form(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    show_report(store, ["one", "two"], ["FramePack"], None, None, said.append, said.append)
    table, (page,) = capsys.readouterr().out, said
    assert "one/small" in table
    assert "| FramePack " in table
    assert "end worse than full" in table
    html = Path(unquote(page.removeprefix("page: file://"))).read_text()
    assert "two/small" in html
    assert "Published figures" in html
    for form, says in (("md", "## Reproduce"), ("csv", "one + two + FramePack,FramePack,"), ("latex", r"\toprule")):
        said.clear()
        with undrawn():  # the page above has them
            show_report(store, ["one", "two"], ["FramePack"], form, None, said.append, said.append)
        assert says in said[0], form


def test_scored_videos_play_beside_the_variants_of_one_experiment(store: Store, tmp_path: Path) -> None:
    (tmp_path / "videos" / "a.mp4").write_bytes(b"film")
    _, info = compared(store, ["one"], ["FramePack"])
    assert list(info.variants) == ["full", "small", "FramePack"]
    assert info.videos[TRACK]["FramePack"] == [str(tmp_path / "videos" / "a.mp4")]
    assert "harness score" in info.reproduce


@pytest.mark.parametrize("seeds", [(100,), (1, 2, 3)])
def test_scored_videos_are_paired_with_the_first_seed_and_the_report_says_so(store: Store, seeds: list[int]) -> None:
    experiment(store, "seeded", {"full": ("full", 29.0), "other": ("other", 20.0)}, seeds=seeds)
    frame, info = compared(store, ["seeded"], ["FramePack"])
    summary = summarise(frame, info).set_index(["variant", "statistic"])
    found = summary.loc[("FramePack", "late")]
    assert (found["delta_n"], found["n"], found["over"]) == (len(FILMS), len(FILMS), "samples")
    assert found["delta_low"] < -1 > found["delta_high"]
    assert ("to the baseline's films of seed 1 alone" in info.caption) == (len(seeds) > 1)


def test_the_contact_sheet_shows_one_sample_of_all(store: Store, tmp_path: Path) -> None:
    for name in ("0", "b"):
        (tmp_path / "videos" / f"{name}.mp4").write_bytes(b"film")
    assert "FramePack" not in compared(store, ["one"], ["FramePack"])[1].frames[TRACK]
    (tmp_path / "videos" / "a.mp4").write_bytes(b"film")
    frames = compared(store, ["one"], ["FramePack"])[1].frames[TRACK]
    assert frames["FramePack"] == str(tmp_path / "videos" / "a.mp4")


@pytest.mark.slow
def test_a_page_that_is_put_elsewhere_names_no_files_beside_it(store: Store, tmp_path: Path) -> None:
    said: list[str] = []
    output = tmp_path / "sent.html"
    with undrawn():
        show_report(store, ["one", "two"], [], "html", output, said.append, said.append)
        show_report(store, ["one", "two"], [], "html", None, said.append, said.append)
    sent, page = output.read_text(), Path(said[1].strip()).read_text()
    assert "results.csv" in page
    assert "results.csv" not in sent
    assert len(sent) > len(page) - 300
    assert '<p class="kind">Comparison · one + two</p>' in page


def test_what_does_not_compare_is_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(UseError, match="--with Nobody: not scored on consistent-50s; scored there: FramePack"):
        compared(store, ["one"], ["Nobody"])
    record(store, "small", tmp_path, 20.0)
    with pytest.raises(UseError, match="one has a variant of that name"):
        compared(store, ["one"], ["small"])
    experiment(store, "elsewhere", {"full": ("other full", 29.0)}, tracks=["creative-50s"])
    with pytest.raises(UseError, match="one has consistent-50s; elsewhere has creative-50s"):
        compared(store, ["one", "elsewhere"], [])
    experiment(store, "newer", {"all": ("all", 29.0)}, suite=2)
    with pytest.raises(UseError, match="scored by suite 'native 2'"):
        compared(store, ["one", "newer"], [])
    with pytest.raises(UseError, match="no finished report of 'none'"):
        compared(store, ["one", "none"], [])
    with pytest.raises(UseError, match="is for the page; csv is printed"):
        show_report(store, ["one"], [], "csv", tmp_path / "x.csv", print, print)
