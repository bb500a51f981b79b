"""`harness score`: videos that any method made, from the check to the table."""

import json
import os
import shutil
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.track import get_track
from benchmarks.vbench import official
from harness.commands import score as score_command
from harness.core.errors import UseError
from harness.core.graph import Graph, Node
from harness.core.store import Store
from harness.declare.settings import ScoreSettings
from harness.results.scored_videos import ScoredVideos
from harness.run.local import THREADS
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video
from tests.harness.commands.judged import run
from tests.harness.small import ONE_TRACK, SMALL
from tests.once import made_once

TRACK = ("--track", "consistent-50s")


def videos(folder: Path, height: int = 32, seed: int = 0, names: tuple[str, ...] = ("a", "<b>b&amp;")) -> Path:
    folder.mkdir()
    for place, name in enumerate(names):
        write_video(folder / f"{name}.mp4", moving_frames(100, height, 64, seed + place), 2)
    return folder


@pytest.fixture(scope="session")
def scored(weights: Path) -> tuple[Path, str]:
    """A store with two methods scored alike and one at another size, which other processes may be reading; the last table."""

    def make(root: Path) -> None:
        root.mkdir()
        for name, height, seed in (("FramePack", 32, 0), ("Other one", 32, 5), ("Larger (2x)", 64, 9)):
            folder = videos(root / name, height, seed)
            done = run(weights, "score", str(folder), *TRACK, "--name", name, store=root / "runs")
            assert done.returncode == 0, done.stderr
            (root / f"{name}.md").write_text(done.stdout)

    root = made_once("scored", make)
    return root / "runs", (root / "Larger (2x).md").read_text()


def test_methods_scored_alike_share_a_table_with_their_drift(scored: tuple[Path, str]) -> None:
    compared = (scored[0].parent / "Other one.md").read_text()
    assert "| Other one |" in compared
    assert "| FramePack |" in compared
    assert "background consistency" in compared
    assert "**consistent-50s, drift**" in compared
    assert "slope per minute" in compared


def test_one_made_differently_is_left_out_and_the_difference_named(scored: tuple[Path, str]) -> None:
    table = scored[1]
    assert "| Larger (2x) |" in table
    assert "| FramePack |" not in table
    assert "FramePack is left out" in table
    assert "32x64" in table
    assert "64x64" in table


def test_the_store_keeps_what_the_scores_were_made_with(scored: tuple[Path, str]) -> None:
    store = scored[0]
    record = json.loads((store / "scored" / "consistent-50s" / "FramePack.json").read_text())
    assert set(record["scores"]) == {"embedded", "vbench native"}
    assert record["by_name"] is True
    folder = store / "artifacts" / "video_scores" / record["scores"]["vbench native"][:16]
    about = json.loads((folder / "scores.json").read_text())
    assert about["samples"] == ["<b>b&amp;", "a"]
    assert (about["fps"], about["resolution"], about["suite"]) == (2.0, "32x64", "vbench native")
    (digest,) = about["metrics"]["background_consistency"]["weights"].values()
    assert len(digest) == 64
    assert "licence" in about["skipped"]["dynamic_degree"]


def test_scores_are_in_mlflow(scored: tuple[Path, str]) -> None:
    from mlflow import MlflowClient

    client = MlflowClient(f"sqlite:///{scored[0] / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("scored videos")
    runs = {run.info.run_name: run for run in client.search_runs([experiment.experiment_id])}
    assert set(runs) == {f"{name} · consistent-50s" for name in ("FramePack", "Other one", "Larger (2x)")}
    key = "score/consistent-50s/background_consistency"
    assert 0 < runs["FramePack · consistent-50s"].data.metrics[key] <= 1
    assert len(client.get_metric_history(runs["FramePack · consistent-50s"].info.run_id, f"{key}/window")) == 10


def test_scoring_again_computes_nothing(scored: tuple[Path, str], weights: Path) -> None:
    store = scored[0]
    done = run(weights, "score", str(store.parent / "FramePack"), *TRACK, "--name", "FramePack", store=store)
    assert done.returncode == 0
    assert "2 of 2 stages were done already" in done.stderr


def test_a_name_that_was_another_folders_is_taken_over_with_a_note(
    scored: tuple[Path, str], weights: Path, tmp_path: Path
) -> None:
    store = tmp_path / "runs"
    shutil.copytree(scored[0], store)
    first, second = (scored[0].parent / name for name in ("FramePack", "Other one"))
    note = f"note: 'FramePack' was the row of {first}, and is now that of these videos"
    for folder, noted in ((first, False), (second, True), (second, False)):
        done = run(weights, "score", str(folder), *TRACK, "--name", "FramePack", store=store)
        assert done.returncode == 0, done.stderr
        assert (note in done.stderr) == noted
    record = json.loads((store / "scored" / "consistent-50s" / "FramePack.json").read_text())
    assert record["videos"] == str(second)


def test_what_lies_beside_the_videos_does_not_matter_and_a_failure_leaves_no_record(
    scored: tuple[Path, str], weights: Path, tmp_path: Path
) -> None:
    store, folder = tmp_path / "videos" / "runs", tmp_path / "videos"
    shutil.copytree(scored[0].parent / "FramePack", folder)
    shutil.copytree(scored[0], store)  # as `cd FramePack && harness score .` has it
    (folder / "notes.txt").write_text("mine")
    arguments = ("score", str(folder), *TRACK, "--name", "Again")
    done = run(weights, *arguments, store=store)
    assert "2 of 2 stages were done already" in done.stderr
    record = store / "scored" / "consistent-50s" / "Again.json"
    signature = json.loads(record.read_text())["scores"]["embedded"]
    record.unlink()
    (store / "artifacts" / "video_scores" / signature[:16] / "manifest.json").unlink()
    done = run(weights, *arguments, store=store)
    assert done.returncode == 2
    assert "has no manifest.json, so it is not finished, yet it is in the way" in done.stderr
    assert not record.exists()
    record.write_text('{"name": "Again"')
    done = run(weights, *arguments, store=store)
    assert done.returncode == 2
    assert "Again.json is damaged" in done.stderr
    assert "Traceback" not in done.stderr


def test_videos_without_sound_are_noted_and_refused_when_all_are(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    settings, talk = ScoreSettings(audio=str(tmp_path)), get_track("talk-300s")
    (note,) = score_command._notes_of_sound(["a", "b"], talk, settings)
    assert note.startswith("1 videos have no sound in ")
    assert note.endswith(": b.wav")
    with pytest.raises(UseError, match=r"score\.audio=.*: received no b\.wav, expected one wav for each video"):
        score_command._notes_of_sound(["b"], talk, settings)
    assert score_command._notes_of_sound(["b"], get_track("dance-50s"), settings) == []


def test_without_a_gpu_the_stages_share_the_cores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, store = Graph(), Store(tmp_path)
    graph.add(Node("video_scores", 1, "one", {}, {}, {}, "harness.stages.scores:video_scores"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    for name in THREADS:
        monkeypatch.setenv(name, "1")
    score_command._share_cores(graph, store, jobs=2)
    assert os.environ["OMP_NUM_THREADS"] == "1"
    for name in THREADS:
        monkeypatch.delenv(name)
    score_command._share_cores(graph, store, jobs=2)
    assert {os.environ[name] for name in THREADS} == {str(len(os.sched_getaffinity(0)))}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--name", "../x"), "expected letters"),
        (("--name", "<script>"), "expected letters"),
        (("--name", "x", "--track", "consistent-5s"), "did you mean 'consistent-50s' or"),
        (("--name", "x", "train.steps=3"), "expected settings of score.*"),
        (("--name", "x", "score.vbench=subjects"), "subject_consistency"),
        (
            ("--name", "x", "score.reference=nowhere"),
            "score.reference=nowhere: reference: received 'nowhere', expected a folder",
        ),
        (("--name", "x" * 81), "at most 80"),
        (("--name", "x", "--limit", "3"), "goes with --samples"),
        (("--name", "x", "--judge"), "harness doctor --install vbench"),
        (("--name", "x", "--samples", "nowhere"), "--samples: samples: received"),
        (("--name", "x", "--track", "", "--samples", "nowhere"), "--track"),
        (("--name", "x", "--track", "creative-250s"), "at least 491 frames"),
        (("--name", "x", "--track", "talk-300s"), "expected 25"),
    ],
)
def test_bad_requests_are_one_message(
    scored: tuple[Path, str], weights: Path, arguments: tuple[str, ...], says: str
) -> None:
    store = scored[0]
    track = () if "--track" in arguments else TRACK
    done = run(weights, "score", str(store.parent / "FramePack"), *track, *arguments, store=store)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_samples_list_ties_videos_to_it(scored: tuple[Path, str], weights: Path, tmp_path: Path) -> None:
    for name in ("a", "c"):
        (tmp_path / "samples" / name).mkdir(parents=True)
        Image.new("RGB", (64, 48), "red").save(tmp_path / "samples" / name / "frame.png")
        (tmp_path / "samples" / name / "prompt.txt").write_text("a red square\n")
    folder, listed = videos(tmp_path / "films", names=("a",)), ("--samples", str(tmp_path / "samples"))
    done = run(weights, "score", str(folder), *TRACK, "--name", "Mine", *listed, store=tmp_path / "runs")
    assert done.returncode == 2
    assert "c: no c.mp4 for this sample" in done.stderr
    done = run(
        weights, "score", str(folder), *TRACK, "--name", "Mine", *listed, "--limit", "1", store=tmp_path / "runs"
    )
    assert done.returncode == 0, done.stderr


def test_another_projects_folder_is_scored_without_any_option(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for number in range(2):
        write_video(folder / f"rank0-{number}-0_lora.mp4", moving_frames(11, 32, 48, number), 2)
    (folder / "rank0-0-0_lora_prompts.txt").write_text("A fox runs.\n")
    done = run(weights, "score", str(folder), "score.vbench=none", store=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert "2 videos of LongLive, each called by its prompt's number or beginning" in done.stderr
    assert "scored as videos-5s, which they last as long as" in done.stderr
    assert "| LongLive |" in done.stdout
    assert "**videos-5s, drift under its owners' names**" in done.stdout
    record = json.loads((tmp_path / "runs" / "scored" / "videos-5s" / "LongLive.json").read_text())
    assert record["command"] == f"harness score {folder} score.vbench=none"
    kept = tmp_path / "runs" / "artifacts" / "video_scores" / record["scores"]["embedded"][:16]
    assert json.loads((kept / "scores.json").read_text())["samples"] == ["0", "1"]


def test_a_row_that_is_not_named_does_not_take_the_place_of_another_folders(tmp_path: Path) -> None:
    def name(folder: str, project: str) -> str:
        known = [ScoredVideos("LongLive", "consistent-50s", str(tmp_path / "first"), {}, "", True)]
        taken = score_command._taken(tmp_path / folder, "consistent-50s", known)
        return score_command._name(tmp_path / folder, project, "consistent-50s", taken)

    assert name("first", "LongLive") == "LongLive"
    assert name("second", "LongLive") == "LongLive (second)"
    assert name("my films, v2!", "") == "my films- v2-"
    request = score_command.ScoreRequest(tmp_path, None, None, tmp_path, None, False, ())
    with pytest.raises(UseError, match="--samples goes with --track"):
        score_command._sample_list(request, None)


def test_a_name_that_another_folder_has_is_refused_and_the_same_folder_keeps_its_own(tmp_path: Path) -> None:
    known: list[ScoredVideos] = []

    def name(folder: str, project: str = "", track: str = "consistent-50s") -> str:
        taken = score_command._taken(tmp_path / folder, track, known)
        found = score_command._name(tmp_path / folder, project, track, taken)
        known.append(ScoredVideos(found, track, str(tmp_path / folder), {}, "", True))
        return found

    assert name("a/videos") == "videos"
    with pytest.raises(UseError, match=f"'videos' is taken on consistent-50s by {tmp_path}/a/videos; .* --name"):
        name("b/videos")
    assert name("b/../a/videos") == "videos"
    assert name("b/videos", track="videos-5s") == "videos"
    with pytest.raises(UseError, match="'videos' is taken"):  # no letter of it can stand in a name
        name("日本")
    assert [name(f"{one}/out", "LongLive") for one in "aba"] == ["LongLive", "LongLive (out)", "LongLive"]
    with pytest.raises(UseError, match=r"'LongLive \(out\)' is taken .*b/out"):
        name("c/out", "LongLive")


def test_the_papers_table_takes_rows_that_were_made_alike(scored: tuple[Path, str], weights: Path) -> None:
    store = scored[0]
    refused = run(weights, "report", "--table", "svi-1", store=store)
    assert refused.returncode == 2
    assert "Larger (2x) on consistent-50s was scored at 64x64, FramePack and Other one at 32x64" in refused.stderr
    table = run(weights, "report", "--table", "svi-1", "--only", "Frame*,Other one", store=store)
    assert table.returncode == 0, table.stderr
    lines = table.stdout.splitlines()
    (ours,) = [line for line in lines if line.startswith("| FramePack") and "| measured" in line]
    assert "skipped" in ours  # all but one dimension
    assert any(line.startswith("| FramePack") and "| published" in line and "93.08" in line for line in lines)
    assert lines[lines.index(ours) - 1].startswith("| FramePack")
    assert any(line.startswith("**arXiv 2510.09212 Table 1: creative 250 s") for line in lines)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "expected the name of a run or --table"),
        (("--table", "svi-9"), "svi-1, svi-2"),
        (("--table", "svi-1", "--only", "Nobody"), "no row of ours matches 'Nobody'"),
        (("ablation_eimg", "--table", "svi-1"), "expected the name of a run or --table"),
        (("ablation_eimg", "--with", "FramePack"), "no finished report of 'ablation_eimg'"),
        (("--table", "svi-1", "--format", "html"), "md, csv or latex"),
    ],
)
def test_bad_reports_are_one_message(
    scored: tuple[Path, str], weights: Path, arguments: tuple[str, ...], says: str
) -> None:
    done = run(weights, "report", *arguments, store=scored[0])
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_scored_videos_stand_beside_an_experiments_variants(weights: Path, tmp_path: Path) -> None:
    store, samples = tmp_path / "runs", tmp_path / "samples"
    for name, colour in (("a", "red"), ("b", "green")):
        (samples / name).mkdir(parents=True)
        Image.new("RGB", (64, 48), colour).save(samples / name / "frame.png")
        (samples / name / "prompt.txt").write_text("a square\n")
    settings = (*SMALL, ONE_TRACK, f"eval.path={samples}", "generate.lossless=false")
    made = run(weights, "run", "ablation_eimg", "--only", "base,copy_image", *settings, store=store)
    assert made.returncode == 0, made.stderr
    films = (store / "artifacts" / "generate").glob("*/film.json")
    (still,) = [path.parent for path in films if json.loads(path.read_text())["method"] == "copy_image"]
    named = ("score", str(still / "videos"), *TRACK, "--name", "Still", "--samples", str(samples), "score.vbench=none")
    assert run(weights, *named, store=store).returncode == 0
    both = run(weights, "report", "ablation_eimg", "--with", "Still", store=store)
    assert both.returncode == 0, both.stderr
    values = {
        line.split("|")[1].strip(): line.split("|")[2].strip() for line in both.stdout.splitlines() if "|" in line
    }
    assert values["Still"] == values["copy_image"] != ""
    without = run(weights, *(word for word in named if word not in ("--samples", str(samples))), store=store)
    assert without.returncode == 0
    refused = run(weights, "report", "ablation_eimg", "--with", "Still", store=store)
    assert refused.returncode == 2
    assert "Still on consistent-50s was scored" in refused.stderr


@pytest.mark.slow  # builds VBench's own environment where there is none yet: 3 minutes, 5 GB
def test_the_official_package_judges_the_same_videos(weights: Path, scored: tuple[Path, str], tmp_path: Path) -> None:
    folder, store = official.default_folder(), tmp_path / "runs"
    shutil.copytree(scored[0], store, ignore=shutil.ignore_patterns("mlflow.db*", "mlartifacts", "tracking"))
    official.build(folder, print)
    arguments = ("score", str(scored[0].parent / "FramePack"), *TRACK, "--name", "Judged", "--judge")
    done = run(weights, *arguments, "score.vbench=background_consistency", store=store, judge=folder)
    assert done.returncode == 0, done.stderr
    beside = done.stdout.partition("native beside official")[2]
    row = next(line for line in beside.splitlines() if line.startswith("| background consistency |"))
    native, judged, apart, videos = row.strip("| ").split(" | ")[1:]
    assert native.strip() == judged.strip() != ""
    assert float(apart) <= 1e-6
    assert int(videos) == 2
    assert "background consistency (official)" in done.stdout


@pytest.mark.slow
def test_films_dealt_out_to_any_number_of_processes_get_the_same_scores(weights: Path, tmp_path: Path) -> None:
    folder = videos(tmp_path / "videos", names=("a", "b", "c", "d"))
    found = []
    for ranks in (1, 2, 3):
        store = tmp_path / f"{ranks}"
        words = (*TRACK, "score.vbench=none", f"score.ranks={ranks}")
        assert run(weights, "score", str(folder), *words, store=store).returncode == 0
        names = ("scores.npz", "frames.npz", "scores.json")
        found.append([next(store.glob(f"artifacts/video_scores/*/{name}")).read_bytes() for name in names])
    assert found[0] == found[1] == found[2]
