"""The parts of a method: what is identity, what goes together, and parts of one's own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.core.errors import UseError
from harness.declare.request import Request, resolved
from harness.declare.settings import Settings
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan.kinds import GENERATE, TRAIN
from harness.plan.method import method_of
from harness.plan.model import Model, model_of
from harness.plan.pipeline import build
from svi.axes import MethodSettings
from svi.settings import DataSettings, GenerateSettings, TrainSettings
from tests.harness.small import ONE_TRACK, SMALL, harness

OWN = '''
from svi.objectives.objective import Objective

class Brighter(Objective):
    """Every condition a little brighter."""
    version = 3
    reads = ("bank",)

    def inputs(self, model, clips, step):
        return clips.changed(condition={"latents": clips.condition["latents"] * 1.01})

class Latents:
    """Hands on no frames."""

    def next(self, films, clip, past):
        raise NotImplementedError

class Following(Latents):
    """A loop of which gain alone is known."""
    gives = ("a first frame whose errors can be followed",)

class Picky(Latents):
    """Wants what nobody has."""
    needs = ("a crystal ball",)
'''


def settings(**method: Any) -> Settings:
    return Settings(method=MethodSettings(**method))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    file = tmp_path / "mine.py"
    file.write_text(OWN)
    return file


def test_the_usual_method_enters_no_signature() -> None:
    method = method_of(Settings())
    assert method.training(TRAIN) == (TRAIN, {}, {})
    assert method.films(GENERATE) == (GENERATE, {}, {})


def test_another_objective_reads_no_bank() -> None:
    kind, identity, runtime = method_of(settings(objective="flow_matching")).training(TRAIN)
    assert not {"injection", "bank"} & set(kind.reads)
    assert identity == {"method.objective": "flow_matching", "method.objective.version": 1}
    assert runtime == {"method.objective.target": "svi.objectives.objective:Objective"}


def test_a_part_of_ones_own_is_known_by_its_source(own: Path) -> None:
    """Not by its place: the same file elsewhere is the same part, another content another one."""
    kind, identity, _ = method_of(settings(objective=f"{own}:Brighter")).training(TRAIN)
    assert "bank" in kind.reads
    assert identity["method.objective"] == "Brighter"
    assert identity["method.objective.version"] == 3
    moved = own.with_name("moved.py")
    moved.write_text(OWN)
    assert method_of(settings(objective=f"{moved}:Brighter")).training(TRAIN)[1] == identity
    moved.write_text(OWN.replace("1.01", "1.02"))
    assert method_of(settings(objective=f"{moved}:Brighter")).training(TRAIN)[1] != identity


def test_the_architecture_is_part_of_training_and_of_films() -> None:
    method = method_of(settings(architecture="causal", block=2))
    expected = {"method.architecture": "causal", "method.block": 2}
    assert method.training(TRAIN)[1] == expected
    assert method.films(GENERATE)[1] == expected


def test_parts_that_do_not_go_together_are_refused(own: Path) -> None:
    with pytest.raises(UseError, match=r"method.generation=Picky needs a crystal ball, which"):
        method_of(settings(generation=f"{own}:Picky"))


@pytest.mark.parametrize("made", [{"fix": "mkl"}, {"detector": "statistics"}])
def test_remedies_need_frames_that_are_handed_on(own: Path, made: dict[str, Any]) -> None:
    chosen, loop = GenerateSettings(**made), MethodSettings(generation=f"{own}:Latents")
    method_of(Settings(generate=chosen))
    with pytest.raises(
        UseError, match=r"acts on frames that one clip hands on .* method.generation=Latents hands on none"
    ):
        method_of(Settings(generate=chosen, method=loop))


def test_colours_are_matched_where_pixels_are_handed_on() -> None:
    with pytest.raises(
        UseError, match=r"generate.fix=mkl changes decoded frames, and with generate.handoff=latent none"
    ):
        method_of(Settings(generate=GenerateSettings(fix="mkl", handoff="latent")))
    method_of(Settings(generate=GenerateSettings(detector="statistics", handoff="latent")))


FORCING: dict[str, dict[str, Any]] = {"method": {"objective": "diffusion_forcing", "generation": "step_first"}}
TEACHER: dict[str, Any] = {"objective": "teacher_forcing", "architecture": "causal", "generation": "blocks"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"method": {"generation": "forcing"}}, r"needs noise levels of each latent frame, .* to diffusion_forcing"),
        ({"method": {"objective": "diffusion_forcing"}}, "needs clips that are conditioned on an image"),
        (FORCING, "step_first needs latents that are handed on, .* set generate.handoff=latent"),
        (FORCING | {"generate": {"solver": "unipc"}}, "needs Euler steps, .* set generate.solver=euler"),
        (FORCING | {"speed": {"cache": "first_block"}}, "needs every forward of the model, .* set speed.cache=none"),
        (
            FORCING | {"condition": {"anchor": True}},
            "diffusion_forcing needs a past without .* set condition.anchor=false",
        ),
        (
            {"method": TEACHER | {"architecture": "bidirectional"}},
            "needs block-causal attention, .*architecture=causal",
        ),
        ({"method": TEACHER | {"objective": "error_recycling"}}, "blocks needs clean frames .* to teacher_forcing"),
        ({"method": TEACHER | {"generation": "clips"}}, "clips needs clips that are conditioned on an image"),
        ({"method": TEACHER | {"memory": "anchor_frame"}}, "anchor_frame needs a reference image"),
        ({"method": {"memory": "sink"}}, "sink needs a cache of keys and values, .* set method.generation to blocks"),
        ({"method": TEACHER, "speed": {"cache": "taylorseer"}}, "blocks needs every forward of the model"),
        ({"method": TEACHER, "train": {"enabled": False}}, "a base model without training does not give here"),
    ],
)
def test_what_settings_do_not_meet_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UseError, match=said):
        method_of(Settings.model_validate(changed))


def test_one_training_is_for_all_ways_to_make_films_of_it() -> None:
    """What films alone read is no part of the training's signature, and the other way round."""
    many = {"generate": {"handoff": "latent"}, "forcing": {"sigma_h": 0.1, "weight": 2.0, "stagger": 1.0}}
    plain, other = (Settings.model_validate(FORCING | {"generate": {"handoff": "latent"}} | one) for one in ({}, many))

    def read(settings: Settings, of: str) -> Any:
        method = method_of(settings)
        kind, identity, _ = method.training(TRAIN) if of == "training" else method.films(GENERATE)
        return identity, Model(settings).read(kind.reads)

    assert read(plain, "training") == read(other, "training")
    taught = Settings.model_validate(FORCING | many | {"forcing": {"chunk": 2}})
    assert read(plain, "training") != read(taught, "training")
    looped = {"method": FORCING["method"] | {"generation": "forcing"}}
    first, second = (Settings.model_validate(one | looped) for one in ({}, many))
    assert read(first, "films") != read(second, "films")


@pytest.mark.parametrize(
    ("memory", "alike", "other"),
    [
        ("none", {"first": 2, "every": 3}, {"frames": 3}),
        ("sink", {"decay": 0.5, "every": 3}, {"first": 2}),
        ("ema", {"every": 3}, {"decay": 0.5}),
        ("sparse", {"decay": 0.5}, {"every": 3}),
    ],
)
def test_a_memory_changes_films_by_its_own_settings_and_no_training(
    memory: str, alike: dict[str, Any], other: dict[str, Any]
) -> None:
    def read(cache: dict[str, Any], memory: str = memory) -> tuple[Any, Any]:
        given = {"method": TEACHER | {"memory": memory}, "cache": cache, "condition": {"motion_frames": 1}}
        model = model_of(Settings.model_validate(given), None)
        method = method_of(model.settings)
        training, films = (
            (identity, model.read(kind.reads)) for kind, identity, _ in (method.training(TRAIN), method.films(GENERATE))
        )
        return training, films

    usual = read({})
    assert read(alike) == usual
    assert read(other)[0] == usual[0]
    assert read(other)[1] != usual[1]
    assert read({}, "half")[0] == usual[0]
    assert read({}, "half")[1] != usual[1]
    assert read({"noise": 0.1})[0] != usual[0]


@pytest.mark.parametrize(
    ("objective", "changed", "said"),
    [
        ("self_forcing", {}, "films that are sampled with new noise .* another generate.solver does not make"),
        ("bagger", {"data": DataSettings(path="videos")}, "prompts whose motion .* captions of data.path are not"),
        ("self_rollout", {"train": TrainSettings(zero=3, ranks=2)}, "whole weights .* train.zero=3 cuts in pieces"),
    ],
)
def test_rollouts_that_settings_make_impossible_are_refused(objective: str, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(UseError, match=f"method.objective={objective} needs {said}"):
        method_of(Settings(method=MethodSettings(objective=objective), **changed))


def test_one_of_two_experts_is_not_rolled_out() -> None:
    """Each is trained in a stage of its own, where the other is not at hand."""
    with pytest.raises(UseError, match=r"self_rollout needs one transformer for all noise levels, which this backbone"):
        method_of(settings(objective="self_rollout"), experts=2)
    method_of(settings(objective="self_rollout"), experts=1)
    method_of(settings(), experts=2)


def test_a_rollout_is_as_the_films_are() -> None:
    """Whatever the films are sampled with is part of such a training, how many there are is not."""
    kind, _, _ = method_of(settings(objective="self_rollout")).training(TRAIN)
    assert {"generate.steps", "generate.solver", "generate.guidance", "rollout.clips", "data.path"} <= set(kind.reads)
    assert not {"generate", "generate.samples", "generate.seed"} & set(kind.reads)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("method.objective=eror_recycling", "did you mean 'error_recycling'"),
        ("method.generation=mine.py:Nobody", "no file mine.py"),
        ("method.architecture=sideways", "'bidirectional' or 'causal'"),
    ],
)
def test_unknown_parts_are_named(tmp_path: Path, text: str, said: str) -> None:
    done = harness("plan", "ablation_eimg", text, store=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_trivial_method_runs_no_loop(own: Path) -> None:
    copied = GenerateSettings(method="copy_image")
    other = Settings(
        method=MethodSettings(generation=f"{own}:Picky"), generate=copied, train=TrainSettings(enabled=False)
    )
    assert method_of(other).films(GENERATE) == (GENERATE, {}, {})


def test_a_gain_alone_foretells_nothing(own: Path, tmp_path: Path) -> None:
    """It is measured for the report, by a stage that reads what the loop is; `harness forecast` has nothing to say of it."""
    chosen = select(EXPERIMENTS.get("ablation_eimg"), "full").model_copy(update={"tracks": ("consistent-50s",)})
    overrides = {"method.generation": f"{own}:Following"}
    made = build(Request(chosen, "ablation_eimg", "tiny", (), overrides), tmp_path / "f.json")
    child = made.children[0]
    assert not child.forecast
    probe = made.graph[child.probes["consistent-50s"]]
    assert probe.identity["method.generation"] == "Following"
    assert probe.signature in made.graph[child.score["consistent-50s"]["embedded"]].needs
    said = harness("forecast", "ablation_eimg", "--only", "full", f"method.generation={own}:Following", store=tmp_path)
    assert (said.returncode, "no variant here has a forecast" in said.stderr) == (2, True)


def test_pictures_of_errors_need_a_bank() -> None:
    shown = Settings(method=MethodSettings(objective="flow_matching"), train=TrainSettings(show_errors=True))
    with pytest.raises(
        UseError, match=r"train.show_errors shows errors of the bank, and method.objective=flow_matching"
    ):
        method_of(shown)


def test_error_recycling_is_trained_and_makes_films_under_causal_attention(tmp_path: Path) -> None:
    """From the same draws other weights, and from these in turn other films; pictures of errors, too."""
    store = tmp_path / "runs"
    for architecture in ("bidirectional", "causal"):
        done = harness(
            "run",
            "ablation_eimg",
            "--only",
            "full",
            ONE_TRACK,
            *SMALL,
            "train.show_errors=true",
            f"method.architecture={architecture}",
            store=store,
            drawn=False,
        )
        assert done.returncode == 0, done.stderr
    for pattern in ("train/*/transformer/*.safetensors", "generate/*/frames.npy", "errors/*/own.npz"):
        found = [file.read_bytes() for file in store.glob(f"artifacts/{pattern}")]
        assert len(found) == 2, pattern
        assert found[0] != found[1], pattern


def test_one_training_behind_true_blocks_makes_films_with_every_memory(tmp_path: Path) -> None:
    """Each other films; every stage counts what it took, twice the tokens of a clip a sample."""
    store = tmp_path / "runs"
    for memory in ("none", "sink"):
        done = harness(
            "run",
            "ablation_eimg",
            "--only",
            "full",
            ONE_TRACK,
            *SMALL,
            *(f"method.{axis}={part}" for axis, part in (TEACHER | {"memory": memory}).items()),
            store=store,
            drawn=False,
        )
        assert done.returncode == 0, done.stderr
    (cost,) = store.glob("artifacts/train/*/cost.json")
    assert json.loads(cost.read_text())["training_tokens"] == 12 * 16 * 2 * 20
    films = [np.load(file) for file in store.glob("artifacts/generate/*/frames.npy")]
    assert len(films) == 2
    assert not np.array_equal(*films)
    assert np.array_equal(*(film[:, :5] for film in films))  # nothing is forgotten yet


def test_an_objective_of_ones_own_is_trained(own: Path, tmp_path: Path) -> None:
    """One file, named on the command line; plain flow matching beside it ends elsewhere."""
    store = tmp_path / "runs"
    for objective in (f"{own}:Brighter", "flow_matching"):
        done = harness(
            "run",
            "ablation_eimg",
            "--only",
            "full",
            ONE_TRACK,
            *SMALL,
            f"method.objective={objective}",
            store=store,
            drawn=False,
        )
        assert done.returncode == 0, done.stderr
    trained = [json.loads(file.read_text()) for file in sorted(store.glob("artifacts/train/*/manifest.json"))]
    assert {one["identity"]["method.objective"] for one in trained} == {"Brighter", "flow_matching"}
    weights = [file.read_bytes() for file in store.glob("artifacts/train/*/transformer/*.safetensors")]
    assert len(weights) == 2
    assert weights[0] != weights[1]


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        ("anchor_latents", {"condition.anchor": True}),
        ("anchor_frame", {"condition.padding": 1}),
        ("reference_padding", {"condition.padding": "reference"}),
    ],
)
def test_a_memory_that_is_settings_makes_the_stages_that_these_make(
    tmp_path: Path, memory: str, said: dict[str, object]
) -> None:
    """Named as a part, or set by hand: what a store holds of one is found for the other."""

    def signatures(values: dict[str, object]) -> set[str]:
        asked = Request(EXPERIMENTS.get("ablation_eimg"), "ablation_eimg", "tiny", overrides=values)
        graph = build(asked, tmp_path / "fingerprints.json").graph
        return {node.signature for node in graph if node.kind != "report"}

    by_name = signatures({"method.memory": memory})
    assert by_name == signatures(said)
    assert by_name != signatures({})


def test_a_memory_and_what_contradicts_it(tmp_path: Path) -> None:
    profile = ("profile tiny", {"condition.padding": "repeat"})
    by_name = ("variant v", {"method.memory": "reference_padding"})
    found = resolved([profile, by_name])
    assert found.settings.condition.padding == "reference"
    assert found.origin["condition.padding"] == "method.memory=reference_padding"
    agreeing = ("command line", {"condition.padding": "reference"})
    assert resolved([profile, agreeing, by_name]).settings == found.settings
    for layers in (
        [profile, ("command line", {"condition.padding": "zeros"}), by_name],
        [("recipe r", {"method.memory": "reference_padding"}), ("variant v", {"condition.padding": "zeros"})],
        [("variant v", {"method.memory": "reference_padding", "condition.padding": 2})],
    ):
        with pytest.raises(UseError, match=r"contradicts method.memory=reference_padding, which stands for"):
            resolved(layers)
    assert resolved([by_name, ("v", {"method.memory": "none", "condition.padding": 2})]).settings.condition.padding == 2


def test_a_memory_of_ones_own_needs_a_place_for_its_image(tmp_path: Path) -> None:
    file = tmp_path / "memories.py"
    file.write_text(MEMORIES)
    with pytest.raises(UseError, match=r"method.memory=Last chooses a reference image, and the condition has no place"):
        method_of(settings(memory=f"{file}:Last"))
    anchored = resolved([("variant v", {"method.memory": f"{file}:Placed"})]).settings
    _, identity, runtime = method_of(anchored).films(GENERATE)
    assert identity["method.memory"] == "Placed"
    assert runtime["method.memory.target"] == f"{file}:Placed"
    assert anchored.condition.anchor


MEMORIES = '''
class Last:
    """The last frame."""

    def __init__(self, settings):
        pass

    def reference(self, start, last, frames):
        return frames[:, -1]

class Placed(Last):
    """The last frame, as the anchor."""
    sets = {"condition.anchor": True}
'''


def test_films_are_made_with_a_memory_of_ones_own(tmp_path: Path) -> None:
    file, store = tmp_path / "memories.py", tmp_path / "runs"
    file.write_text(MEMORIES)
    for memory in (f"{file}:Placed", "anchor_latents"):
        words = ("run", "ablation_eimg", "--only", "base", ONE_TRACK, *SMALL, f"method.memory={memory}")
        done = harness(*words, store=store, drawn=False)
        assert done.returncode == 0, done.stderr
    films = [np.load(file) for file in store.glob("artifacts/generate/*/frames.npy")]
    first = slice(0, 3)  # the second clip begins there
    assert len(films) == 2
    assert np.array_equal(films[0][:, first], films[1][:, first])
    assert not np.array_equal(films[0], films[1])


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (("method.generation=stream",), "method.generation=stream needs noise levels of each latent frame"),
        (("method.objective=stream",), "method.generation=clips needs clips that are conditioned on an image"),
        (("method.objective=stream", "method.generation=stream", "stream.chunk=3"), "stream.chunk is 3"),
        (("method.objective=stream", "method.generation=stream", "generate.solver=unipc"), "set generate.solver=euler"),
        (
            ("method.objective=stream", "method.generation=stream", "method.memory=anchor_frame"),
            "method.memory=anchor_frame needs a reference image",
        ),
    ],
)
def test_a_stream_that_cannot_run_is_refused(tmp_path: Path, values: tuple[str, ...], said: str) -> None:
    done = harness("plan", "ablation_eimg", "--only", "full", *values, store=tmp_path)
    assert done.returncode == 2
    assert said in done.stderr


def test_what_only_films_of_a_stream_read_trains_nothing_again() -> None:
    stream = method_of(settings(objective="stream", generation="stream"))
    trained, made = stream.training(TRAIN)[0].reads, stream.films(GENERATE)[0].reads
    assert {"stream.chunk", "stream.mixed", "stream.whole"} <= set(trained)
    assert "stream.micro_steps" not in trained
    assert {"stream.chunk", "stream.micro_steps"} <= set(made)
