"""Plans over weights in files: what identifies them, and what they refuse."""

from pathlib import Path

import pytest

from harness.core.errors import UseError
from harness.core.signature import fingerprint
from harness.declare.files import digest
from harness.declare.settings import Settings
from harness.declare.spec import resolve, select
from harness.experiments import EXPERIMENTS
from harness.plan import pipeline
from harness.plan.model import model_of
from tests.guide import written
from tests.harness.wan import wan

SIZE = {"data.height": 32, "data.width": 48, "data.clip_frames": 9}


@pytest.fixture(scope="session")
def one() -> Path:
    return wan("wan2.1-i2v")


@pytest.fixture(scope="session")
def two() -> Path:
    return wan("wan2.2-i2v")


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"one")
    return folder


def build(weights: Path, videos: Path, only: str = "base,full", **overrides: object) -> pipeline.Pipeline:
    values = {"backbone.weights": str(weights), "data.path": str(videos), **SIZE, **overrides}
    experiment = select(EXPERIMENTS.get("ablation_eimg"), only)
    request = pipeline.Request(experiment, "ablation_eimg", "folder", ("svi-shot",), values)
    return pipeline.build(request, videos.parent / "fingerprints.json")


def test_nothing_is_trained_before_the_fine_tuning(one: Path, videos: Path) -> None:
    kinds = [node.kind for node in build(one, videos, **{"injection.img_run": 1}).graph]
    assert "backbone" not in kinds
    assert kinds.count("train") == 1


def test_each_expert_is_trained_and_all_go_into_the_films(two: Path, videos: Path) -> None:
    built = build(two, videos, **{"injection.img_run": 1})
    full = built.children[1]
    assert list(full.train) == ["transformer", "transformer_2"]
    assert [built.graph[s].identity["expert"] for s in full.train.values()] == list(full.train)
    film = built.graph[full.generate["consistent-50s"]]
    assert film.upstream["train"] == tuple(full.train.values())


def test_a_base_model_with_images_of_its_own_needs_no_footage(one: Path, tmp_path: Path) -> None:
    from PIL import Image

    sample = tmp_path / "samples" / "one"
    sample.mkdir(parents=True)
    Image.new("RGB", (48, 32)).save(sample / "frame.png")
    (sample / "prompt.txt").write_text("a dog")
    overrides: dict[str, object] = {"data.path": None, "eval.path": str(sample.parent), "injection.img_run": 1}
    kinds = {node.kind for node in build(one, sample.parent, only="base", **overrides).graph}
    assert kinds == {"forecast", "generate", "score", "report"}


def test_weights_are_known_by_their_content_not_their_place(one: Path, videos: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "copy"
    elsewhere.symlink_to(one)
    first, moved = (build(folder, videos, **{"injection.img_run": 1}) for folder in (one, elsewhere))
    assert first.report == moved.report
    node = next(node for node in moved.graph if node.kind == "train")
    assert node.runtime["backbone.weights"] == str(elsewhere)
    assert str(elsewhere) not in str(node.identity)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"data.height": 40}, "multiples of 16"),
        ({"data.clip_frames": 10}, "4 k"),
        ({"injection.img_run": 4}, "3 latent frames"),
        ({"train.adapter": "full"}, "train.adapter=lora"),
        ({"condition.anchor": True}, "multiple of 4"),
        ({"data.augment_motion": True, "condition.anchor": True}, "handed on as latents"),
        ({"train.micro_batch": 3}, "set one of 1, 2, 4, 8"),
        ({"data.path": None}, "data.path=FOLDER"),
    ],
)
def test_what_does_not_fit_the_model_is_refused(
    overrides: dict[str, object], said: str, one: Path, videos: Path
) -> None:
    with pytest.raises(UseError, match=said):
        build(one, videos, **overrides)


def test_a_cache_remembers_what_a_training_clip_shows(one: Path, videos: Path) -> None:
    """Of three latent frames those before the last block, unless it is said; and no more than it has room for."""

    def planned(**overrides: object) -> int | None:
        settings = resolve(Settings, [("test", {"condition.motion_frames": 1, **overrides})]).settings
        return model_of(settings, None).settings.cache.frames

    assert [planned(**{"method.block": block}) for block in (1, 2, 4, 9)] == [4, 3, 1, 1]
    assert planned(**{"cache.frames": 7}) == 7
    teacher = {"method.objective": "teacher_forcing", "method.architecture": "causal", "method.generation": "blocks"}
    graph = build(one, videos, "full", **teacher, **{"injection.img_run": 1}).graph
    assert {node.identity["cache.frames"] for node in graph if node.kind == "generate"} == {2}
    with pytest.raises(UseError, match=r"cache\.first is 5, of cache\.frames=4 latent frames"):
        planned(**{"cache.first": 5})
    with pytest.raises(UseError, match=r"than the 64 that the model tells apart; set at most 63"):
        planned(**{"cache.frames": 64})


def test_resampling_needs_a_model_that_finishes_its_own_past(one: Path, two: Path, videos: Path) -> None:
    wanted: dict[str, object] = {"method.objective": "resampling", "injection.img_run": 1}
    build(one, videos, **wanted)
    with pytest.raises(UseError, match="of two experts neither can while it is trained alone"):
        build(two, videos, **wanted)
    given = {**wanted, "data.width": 64, "condition.padding": "zeros"}
    with pytest.raises(UseError, match=r"given the first latent frames clean.*set resampling.frame=last"):
        build(wan("wan2.2-ti2v"), videos, **given)
    build(wan("wan2.2-ti2v"), videos, **given, **{"resampling.frame": "last"})


def test_missing_weights_say_what_to_type(videos: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    request = pipeline.Request(
        EXPERIMENTS.get("ablation_eimg"), "ablation_eimg", "wan2.1-i2v-14b-480p", (), {"data.path": str(videos)}
    )
    with pytest.raises(UseError, match=r"Wan-AI/Wan2.1-I2V-14B-480P-Diffusers.*about 91 GB.*hf download"):
        pipeline.build(request, tmp_path / "f.json")


def test_a_backbone_of_ones_own_is_known_by_its_source_and_its_files(tmp_path: Path) -> None:
    """Not by where they lie. It is not embedded, but it may learn the embedded world, and its films start there."""
    file = written(tmp_path, "my_backbone.py") / "my_backbone.py"
    weights = tmp_path / "weights"
    weights.mkdir()
    (weights / "a.bin").write_bytes(b"1")
    plain, loaded = own(file), own(file, **{"backbone.weights": str(weights)})
    kinds = [node.kind for node in plain.graph]
    assert (kinds.count("backbone"), kinds.count("data"), kinds.count("train")) == (0, 1, 1)
    for kind in ("data", "train", "generate"):
        first, other = (next(one for one in built.graph if one.kind == kind) for built in (plain, loaded))
        known = {"backbone.name": "Mosaic", "backbone.version": 1, "backbone.source": digest(file)}
        assert known.items() <= first.identity.items()
        assert not [key for key in first.identity if key.startswith("tiny.")]
        assert first.runtime["backbone.target"] == f"{file}:Mosaic"
        assert other.identity["backbone.fingerprint"] == fingerprint(weights, tmp_path / "f.json")
        assert other.runtime["backbone.weights"] == str(weights)
    film = next(one for one in plain.graph if one.kind == "generate")
    assert film.identity["eval.samples"] == "scenes"
    assert (plain.backbone, plain.profile.backbone) == (
        f"{file}:Mosaic",
        "tiny Wan (WanTransformer3DModel, trained from scratch)",
    )
    moved = tmp_path / "moved.py"
    moved.write_text(file.read_text())
    assert [one.signature for one in own(moved).graph][:-1] == [one.signature for one in plain.graph][:-1]


@pytest.mark.parametrize(
    ("changed", "overrides", "said"),
    [
        (("", ""), {"data.height": 18}, "Mosaic: data.height x data.width is 18 x 16; this model needs multiples of 4"),
        (
            ("", ""),
            {"train.adapter": "lora"},
            r"LoRA files name the modules of Wan's .* has lora_targets = \(\); set train",
        ),
        (
            ("", ""),
            {"method.architecture": "causal"},
            r"causal is written for Wan's transformer; .*gives = \(CAUSAL,\)",
        ),
        (("", ""), {"speed.compile": True}, "speed.compile=True is for Wan's transformer, and backbone.name=Mosaic"),
        (
            ("geometry = Geometry(", "geometry = dict("),
            {},
            r"has geometry = \{.*; expected geometry = Geometry\(\.\.\.\)",
        ),
        (("def velocity", "def speed"), {}, "Mosaic has no velocity; as backbone expected a class with geometry, load"),
        (("", ""), {"backbone.weights": "/nowhere"}, "/nowhere: no such file or folder"),
    ],
)
def test_a_backbone_of_ones_own_takes_what_it_can(
    tmp_path: Path, changed: tuple[str, str], overrides: dict[str, object], said: str
) -> None:
    file = written(tmp_path, "my_backbone.py") / "my_backbone.py"
    file.write_text(file.read_text().replace(*changed))
    with pytest.raises(UseError, match=said):
        own(file, **overrides)


def own(file: Path, **overrides: object) -> pipeline.Pipeline:
    experiment = select(EXPERIMENTS.get("ablation_eimg"), "full")
    request = pipeline.Request(
        experiment, "ablation_eimg", "tiny", (), {"backbone.name": f"{file}:Mosaic", **overrides}
    )
    return pipeline.build(request, file.parent / "fingerprints.json")


def test_a_published_model_is_planned_without_its_weights(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan needs no download; a run does."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    experiment = select(EXPERIMENTS.get("ablation_eimg"), "base,full")
    values = {"data.path": str(videos), "eval.path": "bundled"}
    request = pipeline.Request(experiment, "ablation_eimg", "wan2.2-ti2v-5b", (), values)
    with pytest.raises(UseError, match="are not in the hub's cache"):
        pipeline.build(request, tmp_path / "fingerprints.json")
    planned = pipeline.build(request, tmp_path / "fingerprints.json", weights=False)
    assert {"train", "generate", "score"} <= {node.kind for node in planned.graph}
    (note,) = planned.notes
    assert "without weights" in note
    assert "hf download Wan-AI/Wan2.2-TI2V-5B-Diffusers" in note
