"""Metrics of one's own: suites of their own, which cost nothing else."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from benchmarks.suites import VBENCH, VERSIONS
from benchmarks.track import get_track
from benchmarks.vbench.files import FILES
from harness.cli import cli
from harness.core.errors import UseError
from harness.declare.settings import ScoreSettings, Settings
from harness.plan.scoring import check_metric, metric_of, scorings
from sweeps.sweep import Objective
from tests.benchmarks.vbench.vbench_weights import write_clip_b, write_clip_bpe
from tests.harness.finished import RUN, finished
from tests.harness.packages import installed
from tests.harness.small import harness

FLICKER = '''
import numpy as np
from harness import Metric

class Flicker:
    """How restless the light is."""
    metrics = (Metric("flicker", "lower", "1", "0..1", "clip", (), "Mean change of brightness between two frames."),)

    def score(self, film):
        light = np.concatenate([film.frames[block].mean(axis=(1, 2, 3)) for block in film.blocks()])
        return {"flicker": film.clip_means(np.abs(np.diff(light, prepend=np.nan)) / 255)}
'''


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(FLICKER)
    return tmp_path / "mine.py"


def states(store: Path, *words: str) -> dict[str, set[str]]:
    """Kind -> the states of its stages in a plan."""
    done = harness("plan", *RUN[1:], *words, "--json", store=store)
    assert done.returncode == 0, done.stderr
    found: dict[str, set[str]] = {}
    for stage in json.loads(done.stdout)["stages"]:
        found.setdefault(stage["kind"], set()).add(stage["state"])
    return found


def test_a_metric_that_is_added_scores_the_films_that_are_there(file: Path, tmp_path: Path) -> None:
    """Nothing is made again, nothing else is scored again; a table has it with its direction, and the page too."""
    store = tmp_path / "runs"
    shutil.copytree(finished(), store, symlinks=True)
    added = f"score.metrics={file}:Flicker"
    planned = states(store, added)
    assert planned.pop("score") == {"cached", "missing"}
    assert planned.pop("report") == {"missing"}
    assert set().union(*planned.values()) == {"cached"}
    before = set(store.glob("artifacts/*/*/manifest.json"))
    done = harness(*RUN, added, "--name", "flickering", store=store, drawn=False)
    assert done.returncode == 0, done.stderr
    made = [json.loads(one.read_text()) for one in set(store.glob("artifacts/*/*/manifest.json")) - before]
    suites = [one["identity"]["suite"] for one in made if one["kind"] == "score"]
    assert set(suites) == {"Flicker"}
    assert len(made) == len(suites) + 1  # and the report
    [page] = (store / "reports" / "flickering").glob("*.html")
    assert "flicker late ↓" in done.stdout + page.read_text()
    assert "flicker" in page.read_text()
    assert states(store, added)["score"] == {"cached"}
    file.write_text(FLICKER.replace("/ 255", "/ 256"))
    assert states(store, added)["score"] == {"cached", "missing"}


def test_a_metric_is_shown(file: Path) -> None:
    said = CliRunner().invoke(cli, ["show", f"{file}:Flicker"], catch_exceptions=False).output
    assert said.startswith(f"metric {file}:Flicker: How restless the light is.")
    assert "flicker: lower is better, 0..1, a number a clip, version 1. Mean change of brightness" in said
    built_in = CliRunner().invoke(cli, ["show", "background_psnr"], catch_exceptions=False).output
    assert "background_psnr: higher is better, dB, a number a clip, needs truth, version 1" in built_in
    assert "by the suite fvd" in CliRunner().invoke(cli, ["show", "fvd"], catch_exceptions=False).output


@pytest.mark.parametrize(
    ("changed", "asked", "said"),
    [
        (("lower", "down"), "{0}:Flicker", "received direction 'down', expected higher, lower or none"),
        (('"flicker"', '"psnr"'), "{0}:Flicker", "a built-in suite has 'psnr'; give it another name"),
        (
            ("def score", "def scores"),
            "{0}:Flicker",
            "Flicker has no score; as metric expected a class with metrics, score",
        ),
        (("", ""), "{0}:Flicker,{0}:Flicker", "has the name 'Flicker', which .*:Flicker has too; rename it"),
        (("Flicker", "fvd"), "{0}:fvd", "has the name 'fvd', which a built-in suite has too; rename it"),
        (("", ""), "psnr", "metric 'psnr' is built in, so it need not be named here; leave it out"),
        (("", ""), "flicker", "unknown metric 'flicker': .*or FILE.py:NAME"),
    ],
)
def test_a_wrong_metric_is_refused_in_the_plan(
    file: Path, tmp_path: Path, changed: tuple[str, str], asked: str, said: str
) -> None:
    file.write_text(FLICKER.replace(*changed))
    done = harness("plan", "ablation_eimg", f"score.metrics={asked.format(file)}", store=tmp_path / "runs")
    assert done.returncode == 2
    assert re.search(said, done.stderr), done.stderr


def test_an_installed_metric_is_known_by_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    points = "[svi_harness.metrics]\nflicker = flickers:Flicker\npsnr = flickers:Flicker\n"
    monkeypatch.syspath_prepend(installed(tmp_path, "flickers", points, {"flickers": FLICKER}))
    found = metric_of("flicker")
    assert (found.name, found.package) == ("flicker", "flickers 1.0")
    listed = CliRunner().invoke(cli, ["list"], catch_exceptions=False).output
    assert "flickers:Flicker, of flickers 1.0" in listed
    assert "skipped: 'psnr', 'flickers:Flicker' of flickers 1.0: a built-in metric has that name" in listed


def test_a_sweep_can_be_after_a_metric_of_ones_own(file: Path) -> None:
    settings = Settings(score=ScoreSettings(metrics=f"{file}:Flicker"))
    declared = check_metric("flicker", settings)
    with pytest.raises(UseError, match="no metric 'flicker'"):
        check_metric("flicker", Settings())
    Objective("flicker", "minimize").check_direction(declared)
    with pytest.raises(UseError, match="objective flicker: maximize, but the metric is to minimize; say minimize"):
        Objective("flicker").check_direction(declared)


def vbench(tmp_path: Path, dimensions: str) -> dict[str, Any]:
    """What VBench's scores depend on."""
    settings, track = ScoreSettings(vbench=dimensions), get_track("consistent-50s")
    [found] = [
        identity for name, identity, _ in scorings(settings, track, tmp_path / "fingerprints.json") if name == VBENCH
    ]
    return found


def test_films_are_scored_again_where_a_dimension_finds_more_than_it_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nowhere else: earlier scores of others keep their signature."""
    monkeypatch.setenv("VBENCH_CACHE_DIR", str(tmp_path))
    assert vbench(tmp_path, "imaging_quality") == {
        "suite": VBENCH,
        "suite_version": VERSIONS[VBENCH],
        "weights": {file.name: None for file in FILES["imaging_quality"]},
        "dimensions": ["imaging_quality"],
    }
    assert vbench(tmp_path, "dynamic_degree")["derived"] == {"flow_kept": "1", "flow_seam": "1"}
    before = vbench(tmp_path, "background_consistency")
    assert before["derived"] == {"scene_kept": "1"}
    assert list(before["weights"]) == ["ViT-B-32.pt"]
    write_clip_b(tmp_path, width=64, layers=1)
    write_clip_bpe(tmp_path)
    after = vbench(tmp_path, "background_consistency")
    assert after["derived"] == {"scene_kept": "1", "prompt_match": "1"}
    assert None not in after["weights"].values()
    assert set(after["weights"]) == {"ViT-B-32.pt", "bpe_simple_vocab_16e6.txt.gz"}
    assert vbench(tmp_path, "dynamic_degree")["derived"] == {"flow_kept": "1", "flow_seam": "1"}
