"""Fewer films than a finished stage made: they are taken from it."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.artifacts import PROBE
from harness.core.artifacts import COST, GAIN_AND_EPS
from harness.core.checksums import FILES
from harness.core.errors import UseError
from harness.core.graph import Node
from harness.core.job import Job
from harness.core.store import MANIFEST, Store, read_manifest
from harness.declare.spec import parse_overrides, select
from harness.experiments import EXPERIMENTS
from harness.plan import pipeline
from harness.stages import films
from harness.stages.fuller import fuller
from harness.stages.reading import Reading
from svi.artifacts import FRAMES
from tests.harness.finished import finished
from tests.harness.small import SMALL

SETTINGS = {"data.fps": 1, "generate.lossless": True}


def node(store: Store, samples: int, **values: object) -> Node:
    """The films of the copied image: made in a moment, without a model."""
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "copy_image").model_copy(update={"tracks": ("consistent-50s",)})
    overrides = {**SETTINGS, "generate.samples": samples, **values}
    graph = pipeline.build(pipeline.Request(chosen, "x", "tiny", (), overrides), store.fingerprints).graph
    return next(one for one in graph if one.kind == "generate")


def job(store: Store, one: Node) -> Job:
    folder = store.begin(one.kind, one.signature)
    return Job(one.kind, folder, {**one.identity, **one.runtime}, {}, lambda *_: None)


def made(store: Store, one: Node) -> Path:
    films.generate(job(store, one))
    about = {"version": one.version, "identity": one.identity, "upstream": one.upstream}
    store.commit(one.kind, one.signature, {"kind": one.kind, "signature": one.signature, **about})
    return store.artifact(one.kind, one.signature)


def found(store: Store, one: Node) -> Path | None:
    here = job(store, one)
    return fuller(here, Reading(here.settings))


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"
    }


def test_fewer_films_are_those_that_are_there(tmp_path: Path) -> None:
    store, alone = Store(tmp_path / "runs"), Store(tmp_path / "alone")
    more = made(store, node(store, 3))
    begun = job(store, node(store, 2)).folder / "films" / "scene-00"
    begun.mkdir(parents=True)
    (begun / "00000.mp4").write_bytes(b"a clip of an attempt that was cut short")
    taken, fresh = made(store, node(store, 2)), made(alone, node(alone, 2))
    assert contents(taken) == contents(fresh)
    assert len(np.load(taken / FRAMES)) == 2
    for name in ("scene-00", "scene-01"):
        assert (taken / "videos" / f"{name}.mp4").samefile(more / "videos" / f"{name}.mp4")


def test_none_are_taken_from_damaged_ones(tmp_path: Path) -> None:
    store = Store(tmp_path)
    with (made(store, node(store, 3)) / FRAMES).open("ab") as file:
        file.write(b"x")
    with pytest.raises(UseError, match=f"{FRAMES} has"):
        made(store, node(store, 2))


def test_their_cost_a_second_is_that_of_all(tmp_path: Path) -> None:
    store = Store(tmp_path)
    counted = made(store, node(store, 3)) / COST
    (counted.parent / MANIFEST).write_text(
        json.dumps({key: value for key, value in read_manifest(counted.parent).items() if key != FILES})
    )
    counted.write_text('{"evaluations": 30, "tokens": 600, "film_seconds": 150}')
    assert (made(store, node(store, 2)) / COST).read_text() == counted.read_text()


@pytest.mark.parametrize("change", [{"data.fps": 2}, {"eval.seed": 5}, {"data.height": 24}])
def test_films_that_differ_in_more_are_not_taken(tmp_path: Path, change: dict[str, object]) -> None:
    store = Store(tmp_path)
    made(store, node(store, 3, **change))
    assert found(store, node(store, 2)) is None
    assert found(store, node(store, 2, **change)) is not None
    assert found(store, node(store, 4, **change)) is None


def samples(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / "samples" / name).mkdir(parents=True)
        Image.new("RGB", (16, 16), (ord(name[-1]), 0, 0)).save(folder / "samples" / name / "frame.png")
        (folder / "samples" / name / "prompt.txt").write_text(name)
    return folder / "samples"


def test_films_are_taken_with_what_they_follow_while_it_is_the_same(tmp_path: Path) -> None:
    sounds = samples(tmp_path, "a", "a.b", "c")
    store, follows = Store(tmp_path / "runs"), {"condition.signal": "audio", "eval.path": str(sounds)}
    more = made(store, node(store, 3, **follows))
    (more / "signals").mkdir()
    for name in ("a.wav", "a.b.wav", "c.wav"):
        (more / "signals" / name).write_text(name)
    one = made(store, node(store, 1, **follows))
    assert [(file.name, file.read_text()) for file in (one / "signals").iterdir()] == [("a.wav", "a.wav")]
    (sounds / "c" / "audio.wav").write_bytes(b"of a film that is not asked for")
    assert found(store, node(store, 2, **follows)) == more
    (sounds / "a" / "audio.wav").write_bytes(b"of one that is")
    assert found(store, node(store, 2, **follows)) is None


def test_films_of_samples_are_taken_while_the_samples_are_the_same(tmp_path: Path) -> None:
    samples(tmp_path, "a", "b", "c")
    store, path = Store(tmp_path / "runs"), {"eval.path": str(tmp_path / "samples")}
    more = made(store, node(store, 3, **path))
    assert found(store, node(store, 2, **path)) == more
    (tmp_path / "samples" / "a" / "prompt.txt").write_text("another")
    assert found(store, node(store, 2, **path)) is None


def test_a_forecast_of_fewer_films_needs_no_model(tmp_path: Path) -> None:
    store = Store(tmp_path / "runs")
    (store.root / "artifacts").symlink_to(finished() / "artifacts")
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "full").model_copy(update={"tracks": ("consistent-50s",)})
    values = {**parse_overrides(SMALL), "generate.samples": 1}
    graph = pipeline.build(pipeline.Request(chosen, "x", "tiny", (), values), store.fingerprints).graph
    here = job(store, next(one for one in graph if one.kind == "forecast"))
    films.forecast(here)  # it is given no base model and no training
    more = fuller(here, Reading(here.settings))
    assert more is not None
    for name in (PROBE, GAIN_AND_EPS):
        with np.load(here.folder / name) as taken, np.load(more / name) as there:
            assert {key: len(values) for key, values in taken.items()} == dict.fromkeys(there, 1)
            assert all((taken[key] == there[key][:1]).all() for key in there)
