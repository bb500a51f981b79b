"""What films start from: whose samples a plan takes, how it knows them, and films that each have their image's size."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.films.film import FilmFolder
from benchmarks.samples import BUNDLED, content_hash, load_samples
from harness.commands.session import Session
from harness.core.errors import UseError
from harness.core.graph import Node
from harness.core.job import Job
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan import pipeline
from harness.stages import films as stages
from tests.harness.wan import wan
from tests.svi.films import decoded
from tests.svi.preparation.sources import greys, write_video

SMALL: dict[str, object] = {
    "data.height": 32, "data.width": 48, "data.clip_frames": 9, "data.fps": 1, "backbone.text_tokens": 16,
    "generate.steps": 1, "generate.guidance": 1.0, "generate.length": "seconds", "backbone.dtype": "float32",
}  # fmt: skip


@pytest.fixture(scope="session")
def weights() -> Path:
    return wan()


def add(folder: Path, name: str, width: int = 64, height: int = 48, prompts: str = "a cat\na dog") -> Path:
    (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(len(name))
    Image.fromarray(rng.integers(0, 255, (height, width, 3), dtype=np.uint8)).save(folder / name / "frame.png")
    (folder / name / "prompt.txt").write_text(prompts)
    return folder


def build(
    cache: Path, weights: Path | None = None, tracks: tuple[str, ...] = ("consistent-50s",), **values: object
) -> pipeline.Pipeline:
    """The base model alone: tiny, or a Wan of these weights."""
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "base").model_copy(update={"tracks": tracks})
    overrides = values if weights is None else {**SMALL, "backbone.weights": str(weights), **values}
    profile, recipes = ("tiny", ()) if weights is None else ("folder", ("svi-shot",))
    return pipeline.build(pipeline.Request(chosen, "x", profile, recipes, overrides), cache / "f.json")


def films(built: pipeline.Pipeline) -> list[Node]:
    return [node for node in built.graph if node.kind == "generate"]


def run(node: Node, folder: Path) -> Path:
    """The generate stage itself, of a model in files."""
    folder.mkdir()
    stages.generate(job(node, folder))
    return folder


def job(node: Node, folder: Path) -> Job:
    return Job(node.kind, folder, {**node.identity, **node.runtime}, {}, lambda *_: None)


def test_films_that_end_with_their_prompts_need_enough_of_them_for_their_track(tmp_path: Path, weights: Path) -> None:
    """Ten prompts last 50 s; one scene needs one, and whoever repeats the last one needs no more."""
    samples = add(tmp_path / "s", "short")
    stop: dict[str, object] = {
        "eval.path": str(samples),
        "generate.prompts": "stream",
        "generate.after_prompts": "stop",
    }
    with pytest.raises(
        UseError, match=r"creative-50s last for \d+ prompts and sample short has 2; add prompts, or set"
    ):
        build(tmp_path, weights, ("creative-50s",), **stop)
    for tracks, changed in ((("consistent-50s",), {}), (("creative-50s",), {"generate.after_prompts": "repeat"})):
        assert films(build(tmp_path, weights, tracks, **{**stop, **changed}))
    assert films(build(tmp_path, weights, ("creative-50s",), **{**stop, "eval.path": "bundled"}))


def test_a_real_model_without_anything_else_takes_the_bundled_samples(weights: Path, tmp_path: Path) -> None:
    bundled = content_hash(load_samples(BUNDLED)[0])
    for path in ({}, {"eval.path": "bundled"}):
        (node,) = films(build(tmp_path, weights, **path))
        assert node.identity["eval.samples"] == bundled
        assert node.runtime["eval.path"] == "bundled"


def test_the_tiny_model_takes_its_scenes_unless_it_is_asked(tmp_path: Path) -> None:
    (node,) = films(build(tmp_path))
    assert (node.identity["eval.samples"], node.runtime["eval.path"]) == ("scenes", None)
    (asked,) = films(build(tmp_path, **{"eval.path": "bundled"}))
    assert asked.identity["eval.samples"] == content_hash(load_samples(BUNDLED)[0])


def test_other_samples_train_nothing_anew_in_the_embedded_world(tmp_path: Path) -> None:
    def trained(**values: object) -> list[str]:
        request = pipeline.Request(select(EXPERIMENTS.get("ablation_eimg"), "full"), "x", "tiny", (), values)
        graph = pipeline.build(request, tmp_path / "f.json").graph
        return [node.signature for node in graph if node.kind in ("backbone", "data", "train")]

    assert len(trained()) == 3
    assert trained(**{"eval.path": "bundled"}) == trained(**{"data.hold_back": 0.3}) == trained()


def test_footage_gives_held_back_clips_unless_samples_are_named(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"one")
    videos = {"data.path": str(tmp_path / "videos")}
    (held,) = films(build(tmp_path, weights, **videos))
    assert held.identity["eval.samples"] == "held back"
    (named,) = films(build(tmp_path, weights, **videos, **{"eval.path": "bundled"}))
    assert named.identity["eval.samples"] == content_hash(load_samples(BUNDLED)[0])


def test_each_track_takes_its_part_of_the_authors_benchmark(tmp_path: Path) -> None:
    root = tmp_path / "svi-benchmark"
    add(root / "consisent_video_gen", "a")
    add(root / "creative_video_gen", "b")
    built = build(tmp_path, tracks=("consistent-50s", "creative-50s"), **{"eval.path": str(root)})
    parts = [root / "consisent_video_gen", root / "creative_video_gen"]
    assert [node.identity["eval.samples"] for node in films(built)] == [content_hash(load_samples(p)[0]) for p in parts]
    with pytest.raises(UseError, match=r"eval\.path: samples for track 'creative-250s'.*creative_video_gen_longer"):
        build(tmp_path, tracks=("creative-250s",), **{"eval.path": str(root)})


def test_only_the_samples_that_are_used_count(tmp_path: Path) -> None:
    folder = add(add(tmp_path / "data", "a"), "b")

    def hashed() -> str:
        (node,) = films(build(tmp_path, **{"eval.path": str(folder), "generate.samples": 1}))
        return str(node.identity["eval.samples"])

    first = hashed()
    (folder / "b" / "prompt.txt").write_text("another dog")
    assert hashed() == first
    (folder / "a" / "prompt.txt").write_text("another cat")
    assert hashed() != first


def test_a_limit_takes_the_first_samples(tmp_path: Path) -> None:
    folder = add(add(tmp_path / "data", "a"), "b")
    words = [f"eval.path={folder}", "tracks=consistent-50s"]
    more = {"profile": "tiny", "recipes": (), "seeds": None, "only": "base", "store": tmp_path / "runs", "jobs": 1}
    session = Session.open("ablation_eimg", words, **more, limit=1)  # type: ignore[arg-type]
    (node,) = films(session.pipeline)
    assert node.identity["generate.samples"] == 1
    assert node.identity["eval.samples"] == content_hash(load_samples(folder)[0][:1])
    assert "generate.samples=1" in session.pipeline.request.command
    with pytest.raises(UseError, match=r"--limit 1 and generate\.samples=2: both say how many"):
        Session.open("ablation_eimg", [*words, "generate.samples=2"], **more, limit=1)  # type: ignore[arg-type]


def test_what_is_left_out_is_said_once(tmp_path: Path) -> None:
    folder = add(tmp_path / "data", "a")
    (folder / "b").mkdir()
    built = build(tmp_path, tracks=("consistent-50s", "creative-50s"), **{"eval.path": str(folder)})
    assert built.notes == ("eval.path: b is left out: no image (expected frame.jpg, frame.png, or any .jpg or .png)",)


def test_samples_that_change_after_the_plan_are_refused(weights: Path, tmp_path: Path) -> None:
    folder = add(tmp_path / "data", "a")
    (node,) = films(build(tmp_path, weights, **{"eval.path": str(folder)}))
    (folder / "a" / "prompt.txt").write_text("another cat")
    with pytest.raises(UseError, match="the samples changed"):
        run(node, tmp_path / "films")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"generate.lossless": True}, r"generate\.lossless=true"),
        ({"eval.path": None, "data.path": "."}, r"goes with eval\.path"),
        ({"size": (64, 12)}, r"eval\.path: sample 'a': image: received 64 x 12 pixels, expected at least 16"),
        ({"backbone.name": "tiny"}, "the tiny backbone is trained on"),
    ],
)
def test_sizes_of_their_own_are_refused_where_they_cannot_be(
    values: dict[str, object], said: str, weights: Path, tmp_path: Path
) -> None:
    width, height = values.pop("size", (64, 48))  # type: ignore[misc]
    folder = add(tmp_path / "data", "a", width, height)
    given: Path | None = weights
    if values == {"backbone.name": "tiny"}:
        given, values = None, {}
    with pytest.raises(UseError, match=said):
        build(tmp_path, given, **{"eval.path": str(folder), "eval.size": "sample", **values})


@pytest.mark.slow
def test_films_have_their_images_sizes_and_what_is_known_of_them_is_written(weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    add(folder, "a", 64, 50)
    add(folder, "bb", 40, 90)
    add(folder, "ccc", 70, 48, "a bird\na fish")
    (node,) = films(build(tmp_path, weights, **{"eval.path": str(folder), "eval.size": "sample"}))
    assert node.identity["eval.multiple"] == 16
    made = run(node, tmp_path / "films")
    about = json.loads((made / "film.json").read_text())
    assert {key: about[key] for key in ("track", "track_version", "n_frames", "samples_hash")} == {
        "track": "consistent-50s",
        "track_version": 1,
        "n_frames": 50,
        "samples_hash": content_hash(load_samples(folder)[0]),
    }
    sizes = [[48, 64], [80, 32], [48, 64]]
    assert [sample["size"] for sample in about["samples"]] == sizes
    (tmp_path / "forecast").mkdir()
    stages.forecast(job(node, tmp_path / "forecast"))
    found = FilmFolder(made, probe=tmp_path / "forecast" / "probe.npz")
    assert found.resolutions == [(144, 192), (320, 128), (144, 192)]  # enlarged for people
    for row, (height, width) in enumerate(sizes):
        factor = 3 if height == 48 else 4
        assert decoded(found.video(row)).shape == (50, factor * height, factor * width, 3)
        film = found.film(row)
        assert film.frames.shape == (50, factor * height, factor * width, 3)
        assert film.probe is not None
        assert film.probe.condition.shape == (16, height // 8, width // 8)
        assert np.isfinite(film.probe.output_clean).all()


def test_a_profiles_size_is_the_same_for_all(weights: Path, tmp_path: Path) -> None:
    folder = add(add(tmp_path / "data", "a", 64, 50), "bb", 40, 90)
    (node,) = films(build(tmp_path, weights, **{"eval.path": str(folder), "generate.samples": 2}))
    assert "eval.multiple" not in node.identity
    about = json.loads((run(node, tmp_path / "films") / "film.json").read_text())
    assert [sample["size"] for sample in about["samples"]] == [[32, 48], [32, 48]]


def test_repeated_clips_have_what_they_follow_beside_them(weights: Path, tmp_path: Path) -> None:
    folder = add(tmp_path / "data", "a")
    write_video(folder / "a" / "pose.mp4", greys(50), rate=1)
    asked = {"eval.path": str(folder), "condition.signal": "pose", "generate.method": "copy_clips"}
    (node,) = films(build(tmp_path, weights, **asked))
    made = run(node, tmp_path / "films")
    assert decoded(made / "signals" / "a.pose.mp4").shape[0] == decoded(made / "videos" / "a.mp4").shape[0] == 50
