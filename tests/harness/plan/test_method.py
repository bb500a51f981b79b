"""The parts of a method: what is identity, what goes together, and parts of one's own."""

from pathlib import Path
from typing import Any

import pytest

from harness.core.errors import UseError
from harness.declare.request import Request
from harness.declare.settings import Settings
from harness.declare.spec import select
from harness.experiments import EXPERIMENTS
from harness.plan.kinds import GENERATE, TRAIN
from harness.plan.method import method_of
from harness.plan.model import Model
from harness.plan.pipeline import build
from svi.axes import MethodSettings
from svi.settings import DataSettings, GenerateSettings, TrainSettings
from tests.harness.plan.methods import OWN, TEACHER, settings
from tests.harness.small import harness


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


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"method": {"generation": "forcing"}}, r"needs noise levels of each latent frame, .* to diffusion_forcing"),
        ({"method": {"objective": "diffusion_forcing"}}, "needs clips that are conditioned on an image"),
        (
            {"method": {"objective": "anchor_tokens", "generation": "anchor_tokens"}, "condition": {"drop_image": 0.1}},
            "anchor_tokens needs conditions that training changes in no other way, .* set condition.drop_image=0",
        ),
        (
            {"method": {"objective": "anchor_tokens", "generation": "anchor_tokens"}, "data": {"augment_motion": True}},
            "anchor_tokens needs conditions .* data.augment_motion=false",
        ),
        (
            {"method": {"generation": "free_noise"}, "generate": {"overlap_from": "previous"}},
            "free_noise needs hand-offs that the later of two clips shows, .* set generate.overlap_from=next",
        ),
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
