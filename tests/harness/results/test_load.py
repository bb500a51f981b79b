"""A finished run, from Python."""

from pathlib import Path

import pytest

import harness
from harness.core.errors import UseError
from harness.core.store import read_manifest
from harness.results.load import Results
from tests.harness.finished import finished


@pytest.fixture(scope="module")
def name() -> str:
    """Of the run that the finished store holds."""
    return next((finished() / "reports").iterdir()).name


@pytest.fixture(scope="module")
def run(name: str) -> Results:
    return harness.load(name, finished())


def test_every_score_is_a_row(run: Results) -> None:
    late = run.frames.query("metric == 'background_psnr' and view == 'window' and status == 'ok'")
    assert late.groupby("variant", observed=True)["value"].mean().notna().sum() == 2
    assert set(run.frames["seed"]) == {0}


def test_every_film_is_there(run: Results) -> None:
    assert list(run.films["variant"]) == ["base", "base", "full", "full"]
    assert list(run.films["sample"]) == ["scene-00", "scene-01"] * 2
    assert all(video.is_file() for video in run.films["video"])
    assert all(len(prompts) == 25 for prompts in run.films["prompts"])


def test_settings_are_those_that_stages_read(run: Results) -> None:
    assert run.settings.loc["train.steps"].to_dict() == {
        "base": None,
        "full": 12,
    }  # the base model is not trained further
    assert run.settings.loc["generate.steps", "full"] == 2
    # In no signature at their defaults, and read all the same.
    assert run.settings.loc["generate.overlap_from"].to_dict() == {"base": "next", "full": "next"}
    assert run.settings.loc["bank.lists", "full"] == 1
    assert "track" not in run.settings.index


def test_it_tells_what_it_is(run: Results, name: str) -> None:
    assert repr(run).startswith(f"{name}: base, full; tracks consistent-50s; seeds 0; ")
    assert (run.folder / "report.html").is_file()


def test_the_store_is_looked_for_where_the_command_line_looks(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HARNESS_STORE", str(finished()))
    assert harness.load(name).variants == ("base", "full")
    monkeypatch.setenv("HARNESS_STORE", str(tmp_path))
    with pytest.raises(UseError, match=r"is no store; expected the folder that `harness run ablation_eimg`"):
        harness.load("ablation_eimg")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_run(run: Results) -> None:
    with pytest.raises(UseError, match="no finished report of 'nothing'"):
        harness.load("nothing", finished())


def test_costs_are_what_the_stages_counted(run: Results) -> None:
    """12 steps of a few clips of 20 tokens; films of 50 seconds, of 4 frames a clip and 8 a second, of 2 steps a clip."""
    steps, batch = (run.settings.loc[key, "full"] for key in ("train.steps", "train.batch"))
    base, full = run.costs.loc["base"], run.costs.loc["full"]
    assert full["clips"] == steps * batch
    assert full["training_tokens"] == steps * batch * 20
    assert full["parameters"] > 1000
    assert (base["clips"], base["training_tokens"], base["parameters"]) == (0, 0, 0)
    n_clips = run.frames.query("view == 'window'")["clip"].max() + 1
    assert full["evaluations"] == pytest.approx(2 * n_clips / 50, rel=0.02)
    assert full["tokens"] == 20 * full["evaluations"]
    assert full["before_first"] == 2
    stages = [*finished().glob("artifacts/generate/*"), *finished().glob("artifacts/train/*")]
    assert len(stages) == 3
    assert base["seconds"] + full["seconds"] == pytest.approx(sum(read_manifest(stage)["seconds"] for stage in stages))
