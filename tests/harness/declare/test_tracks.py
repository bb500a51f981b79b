"""Tracks of one's own: values of a file, of an experiment, or of an installed package."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from benchmarks.track import TRACKS, Track
from harness.cli import cli
from harness.core.errors import UseError
from harness.declare.spec import Experiment, Variant, load_experiment
from harness.declare.tracks import identity_of, track_in, track_of
from harness.experiments import EXPERIMENTS
from sweeps.sweep import load_sweep
from tests.benchmarks.vbench.vbench_videos import moving_frames, write_video
from tests.harness.packages import installed
from tests.harness.small import SMALL, harness

SHORT = 'from harness import Track\n\nSHORT = Track("short-6s", "consistent", 6.0, 1, "One scene, 6 s.")\n'
MINE = f'''{SHORT}
from harness import Variant, experiment

@experiment(tracks=(SHORT, "consistent-50s"), trivial=False)
def mine():
    """Does it hold for 6 s?"""
    yield Variant("base", {{"train.enabled": False}})
    yield Variant("full")
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(MINE)
    return tmp_path / "mine.py"


def test_built_in_tracks_have_the_identity_that_they_always_had() -> None:
    assert identity_of(TRACKS["talk-300s"]) == {"track": "talk-300s", "track.version": 1}
    assert track_in({"track": "talk-300s", "track.version": 1}) is TRACKS["talk-300s"]


def test_all_that_a_track_says_is_identity_but_its_description() -> None:
    one = Track("short-6s", "conditional", 6.0, 2, "One.", "audio", 25.0)
    known = identity_of(one)
    assert json.loads(json.dumps(known)) == known
    assert track_in(known) == Track("short-6s", "conditional", 6.0, 2, "", "audio", 25.0)
    assert identity_of(Track("short-6s", "conditional", 6.0, 2, "Another.", "audio", 25.0)) == known
    assert identity_of(Track("short-6s", "conditional", 7.0, 2, "One.", "audio", 25.0)) != known


def test_an_experiment_gives_its_tracks_as_values(file: Path) -> None:
    found = load_experiment(f"{file}:mine", EXPERIMENTS)
    assert found.tracks == ("short-6s", "consistent-50s")
    assert found.track("short-6s").seconds == 6.0
    assert found.track("consistent-50s") is TRACKS["consistent-50s"]


def test_a_track_of_a_file_makes_films_of_its_length(file: Path, tmp_path: Path) -> None:
    """Named on the command line, where the experiment does not give it; the command that it prints makes them again."""
    store = tmp_path / "runs"
    words = ("run", "ablation_eimg", "--only", "base", *SMALL)
    done = harness(*words, f"tracks={file}:SHORT", store=store, drawn=False)
    assert done.returncode == 0, done.stderr
    [made] = (store / "artifacts" / "generate").glob("*/film.json")
    about = json.loads(made.read_text())
    assert (about["track"], about["n_frames"]) == ("short-6s", 12)
    [record] = (store / "run_records").glob("*.json")
    assert json.loads(record.read_text())["tracks"] == ["short-6s"]
    assert f"tracks={file}:SHORT" in json.loads(record.read_text())["command"]
    assert "short-6s" in done.stdout
    again = harness("plan", "ablation_eimg", "--only", "base", *SMALL, f"tracks={file}:SHORT", store=store)
    assert "all done" in again.stdout
    file.write_text(MINE.replace("6.0", "7.0"))
    other = harness("plan", "ablation_eimg", "--only", "base", *SMALL, f"tracks={file}:SHORT", "--long", store=store)
    assert "track.seconds is 7.0, not 6.0" in other.stdout


def test_the_track_of_an_experiment_is_named_on_the_command_line(file: Path, tmp_path: Path) -> None:
    done = harness("plan", f"{file}:mine", "tracks=short-6s", *SMALL, "--long", store=tmp_path / "runs")
    assert done.returncode == 0, done.stderr
    assert "full, seed 0, short-6s" in done.stdout
    assert "consistent-50s" not in done.stdout


def test_videos_are_scored_on_a_track_of_a_file(file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    write_video(folder / "a.mp4", moving_frames(12, 32, 64, 0), 2)
    words = ("score", str(folder), "--track", f"{file}:SHORT", "--name", "Mine", "score.vbench=none")
    done = harness(*words, store=tmp_path / "runs", drawn=False)
    assert done.returncode == 0, done.stderr
    assert "short-6s" in done.stdout
    assert (tmp_path / "runs" / "scored" / "short-6s" / "Mine.json").is_file()


def test_an_installed_track_is_named_as_it_calls_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = "[svi_harness.tracks]\nshort-6s = shorts:SHORT\nother = shorts:SHORT\nnone = shorts:Track\n"
    monkeypatch.syspath_prepend(installed(tmp_path, "shorts", points, {"shorts": SHORT}))
    assert track_of("short-6s").seconds == 6.0
    shown = CliRunner().invoke(cli, ["show", "short-6s"], catch_exceptions=False).output
    assert shown.startswith("track short-6s: One scene, 6 s.")
    with pytest.raises(UseError, match="is listed as other and calls itself short-6s"):
        track_of("other")
    with pytest.raises(UseError, match=r"none is a type; as track expected NAME = Track\(\.\.\.\)"):
        track_of("none")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHORT.replace('"short-6s"', '"consistent-50s"'), "a built-in track is called 'consistent-50s'"),
        (SHORT.replace('"short-6s"', '"../up"'), "a track is named '../up'; expected letters"),
        (SHORT.replace("6.0", "-1"), "mine.py, line 3: ValueError: track seconds: received -1"),
        (SHORT.replace("SHORT", "LONG"), "no track 'SHORT' in .*NAME of: LONG"),
    ],
)
def test_a_wrong_track_is_refused_in_the_plan(file: Path, tmp_path: Path, text: str, said: str) -> None:
    file.write_text(text)
    with pytest.raises(UseError, match=said):
        Experiment.model_validate(
            {
                "name": "a",
                "question": "?",
                "variants": (Variant("full"),),
                "baseline": "full",
                "tracks": (f"{file}:SHORT",),
            }
        )


def test_a_rate_that_films_do_not_have_is_refused(file: Path, tmp_path: Path) -> None:
    file.write_text(SHORT.replace('"One scene, 6 s."', '"?", fps=25.0'))
    done = harness("plan", "ablation_eimg", f"tracks={file}:SHORT", store=tmp_path / "runs")
    assert done.returncode == 2
    assert "its films have 25 frames a second, these 8; set generate.fps=25" in done.stderr


def test_a_sweep_names_its_track(file: Path) -> None:
    declared = 's = Sweep("?", {"train.lr": Float(0, 1)}, "mine.py:SHORT", (Objective("psnr"),))\n'
    file.write_text(f"from harness import Float, Objective, Sweep\n{declared}")
    with pytest.raises(UseError, match=r"a sweep's track is a named one, not mine.py:SHORT"):
        load_sweep(f"{file}:s")
