"""Settings, recipes, profiles and the pipeline that is built from them."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.commands.show import describe
from harness.core.errors import UseError
from harness.core.signature import flat, leaves, unhashed, unmarked
from harness.declare.profiles import PROFILES
from harness.declare.recipes import RECIPES
from harness.declare.settings import Settings
from harness.declare.spec import Scalar, Variant, experiment, parse_overrides, resolve, select
from harness.experiments import EXPERIMENTS
from harness.plan import pipeline
from harness.plan.model import Model
from harness.stages.reading import Reading
from svi.parts import BUILT_IN

KINDS = (
    pipeline.BACKBONE,
    pipeline.DATA,
    pipeline.TRAIN,
    pipeline.GENERATE,
    pipeline.ERRORS,
    pipeline.SCORE,
    pipeline.REPORT,
)


def request(recipes: tuple[str, ...] = (), overrides: dict[str, object] | None = None) -> pipeline.Request:
    experiment = EXPERIMENTS.get("ablation_eimg")
    return pipeline.Request(experiment, "ablation_eimg", "tiny", recipes, overrides or {})


def test_every_field_is_marked() -> None:
    assert unmarked(Settings) == []


def test_every_identity_field_is_read_by_a_stage() -> None:
    wan = Settings.model_validate({"backbone": {"name": "folder"}})
    young = unhashed(Settings())
    reads = [kind.reads for kind in KINDS] + [part.reads for parts in BUILT_IN.values() for part in parts.values()]
    found = [Model(settings).read(sections) for sections in reads for settings in (Settings(), wan)]
    read = {name for identity, runtime in found for name in (*identity, *(young.keys() & runtime))}
    # Of suites: harness/plan/scoring.py; of the axes of a method: harness/plan/method.py.
    chosen = {name for name in flat(Settings(), "identity") if name.startswith(("score.", "method."))}
    assert set(flat(Settings(), "identity")) - chosen == read


@pytest.mark.parametrize("name", unhashed(Settings()))
def test_a_field_that_is_younger_than_results_enters_a_signature_where_it_is_not_at_its_default(name: str) -> None:
    section, _, key = name.partition(".")
    others = {
        "overlap_from": "previous",
        "fps": 15,
        "after_prompts": "stop",
        "pixels": "truncate",
        "noise": "seed",
        "img_from": "entries",
        "modulate": 0.2,
        "lists": 2,
        "warmup_by": "rank",
        "augment_motion": True,
        "text": "phrases",
        "fix": "mkl",
        "detector": "statistics",
        "clips": 100,
        "budget": "evaluations",
        "img_first_slot": 3,
        "img_last_slot": 5,
        "img_pick": "last",
        "img_domain": "scene",
        "vid_noi_from": "slots",
        "metrics": "mine.py:Flicker",
        "signal": "another",  # of condition and generate
        "drop_signal": 0.5,
        "with_signal": True,
        "drop_image": 0.5,
        "signal_guidance": 5.0,
        "codec": "wan",
        "patch": 4,
        "codec_frames": 1,
        "codec_width": 8,
        "codec_steps": 10,
        "codec_batch": 4,
        "codec_lr": 1e-3,
        "world": "lanes",
    }
    changed = Settings.model_validate({section: {key: others[key]}})
    for kind in KINDS:
        usual, other = Model(Settings()).read(kind.reads), Model(changed).read(kind.reads)
        assert name not in usual[0]
        assert (name in usual[1]) == (name in other[0])
        assert name not in other[1]
    assert name not in unhashed(changed)


def test_every_field_says_what_it_is() -> None:
    assert [name for name, field in leaves(Settings).items() if not field.description] == []


@pytest.mark.parametrize("name", RECIPES.names())
def test_recipes_resolve(name: str) -> None:
    settings = resolve(Settings, [(name, RECIPES.get(name).values)]).settings
    assert flat(settings).items() >= RECIPES.get(name).values.items()


def test_paper_and_code_set_the_same_rows_and_disagree() -> None:
    paper, code = RECIPES.get("paper").values, RECIPES.get("code").values
    assert paper.keys() == code.keys()
    assert {key for key in paper if paper[key] != code[key]} >= {
        "train.lr",
        "flow.loss_weight",
        "flow.truth",
        "bank.warmup",
    }


def test_a_variant_wins_over_the_command_line_over_the_recipe_over_the_profile() -> None:
    variant = Variant("v", {"injection.p_img": 0.0})
    resolved = pipeline.variant_settings(request(recipes=("code",), overrides={"train.lr": 0.5}), variant, seed=3)
    assert resolved.settings.injection.p_img == 0.0
    assert resolved.origin["injection.p_img"] == "variant v"
    assert resolved.settings.train.lr == 0.5
    assert resolved.settings.bank.warmup == 50
    assert resolved.origin["bank.warmup"] == "recipe code"
    assert resolved.origin["data.fps"] == "profile tiny"
    assert resolved.settings.train.seed == resolved.settings.generate.seed == 3


def test_what_an_experiment_sets_wins_over_the_recipe_and_yields_to_the_command_line() -> None:
    asked = request(recipes=("code",), overrides={"train.lr": 0.5})
    declared = {"train.lr": 0.25, "bank.warmup": 7, "injection.p_img": 0.5, "data.path": "x"}
    asked = replace(asked, experiment=asked.experiment.model_copy(update={"name": "mine", "settings": declared}))
    resolved = pipeline.variant_settings(asked, Variant("v", {"injection.p_img": 0.0}), seed=3)
    found = resolved.settings
    assert (found.train.lr, found.bank.warmup, found.injection.p_img) == (0.5, 7, 0.0)
    assert resolved.origin["bank.warmup"] == "experiment mine"
    assert found.data.width == PROFILES.get("tiny").real_videos["data.width"]
    with pytest.raises(UseError, match=r"mine has train\.seed in its settings"):
        experiment(tracks=("consistent-50s",), settings={"train.seed": 1})(mine)


def mine() -> Iterator[Variant]:
    """A question?"""
    yield Variant("full")


def test_steps_that_someone_sets_win_over_a_recipes_epochs() -> None:
    for overrides, steps, epochs in (({}, 3000, 10), ({"train.steps": 7}, 7, None), ({"train.epochs": 2}, 3000, 2)):
        settings = pipeline.variant_settings(request(("svi-film",), dict(overrides)), Variant("v"), 0).settings
        assert (settings.train.steps, settings.train.epochs) == (steps, epochs)  # 3000 are the tiny profile's own
    assert (
        pipeline.variant_settings(request(("svi-film",)), Variant("v", {"train.steps": 9}), 0).settings.train.epochs
        is None
    )


def test_real_videos_have_a_size_of_their_own_that_the_command_line_may_change() -> None:
    real = PROFILES.get("tiny").real_videos
    settings = pipeline.variant_settings(
        request(overrides={"data.path": "x", "data.width": 48}), Variant("v"), 0
    ).settings
    assert (settings.data.height, settings.data.width) == (real["data.height"], 48)


def test_stages_are_shared_and_differ_only_where_they_must(tmp_path: Path) -> None:
    built = pipeline.build(request(), tmp_path / "fingerprints.json")
    kinds = [node.kind for node in built.graph]
    assert {kind: kinds.count(kind) for kind in kinds} == {
        "backbone": 1, "data": 1, "train": 5, "forecast": 12, "generate": 20, "score": 20, "report": 1
    }  # fmt: skip
    full, without = (next(c for c in built.children if c.variant.name == name) for name in ("full", "no_e_img"))
    one, other = (built.graph[child.train["transformer"]].identity for child in (full, without))
    assert {key for key in one if one[key] != other[key]} == {"injection.p_img"}


def chosen(only: str, tmp_path: Path, seeds: tuple[int, ...] = (0,), **overrides: object) -> pipeline.Pipeline:
    experiment = select(EXPERIMENTS.get("ablation_eimg"), only).model_copy(update={"seeds": seeds})
    return pipeline.build(pipeline.Request(experiment, "x", "tiny", (), overrides), tmp_path / "fingerprints.json")


def test_a_copied_image_needs_no_model_and_has_no_seed(tmp_path: Path) -> None:
    built = chosen("copy_image", tmp_path, seeds=(0, 1))
    kinds = [node.kind for node in built.graph]
    assert kinds == ["generate", "score", "generate", "score", "report"]  # two tracks
    first, second = built.children
    assert first.generate == second.generate
    film = built.graph[first.generate["consistent-50s"]]
    assert film.upstream == {}
    assert not {key for key in film.identity if key.startswith(("tiny.", "backbone.", "speed.", "train."))}
    assert {"generate.seed", "generate.steps"} & set(film.identity) == set()
    assert built.graph.labels(film.signature) == (
        "copy_image, seed 0, consistent-50s",
        "copy_image, seed 1, consistent-50s",
    )


def test_show_names_them() -> None:
    shown = describe("ablation_eimg").splitlines()
    assert [line.split() for line in shown[-4:-1]] == [
        [name, f"generate.method={name}"] for name in ("copy_image", "copy_clips", "ping_pong")
    ]


def test_a_repeated_clip_is_the_untrained_models(tmp_path: Path) -> None:
    built = chosen("base,full,copy_clips,ping_pong", tmp_path, seeds=(0, 1))
    films = {
        (child.variant.name, child.seed): built.graph[child.generate["consistent-50s"]] for child in built.children
    }
    base, copies, pong = (films[name, 0] for name in ("base", "copy_clips", "ping_pong"))
    assert base.upstream == copies.upstream == pong.upstream
    assert set(base.upstream) == {"backbone"}
    for film, method in ((copies, "copy_clips"), (pong, "ping_pong")):
        differing = {key for key in base.identity if base.identity[key] != film.identity[key]}
        assert differing == {"generate.method"}
        assert film.identity["generate.method"] == method
        assert film.work == base.work / base.identity["generate.steps"]  # seconds of film, no steps
    assert films["copy_clips", 1].identity["generate.seed"] == 1
    trained = [child.variant.name for child in built.children if child.resolved.settings.train.enabled]
    assert trained == ["full", "full"]
    assert all(not child.train for child in built.children if child.variant.name != "full")
    clips = next(child for child in built.children if child.variant.name == "copy_clips")
    assert clips.resolved.origin["train.enabled"] == "generate.method=copy_clips"


def test_a_copied_held_back_image_needs_the_clips_that_were_kept(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "a.mp4").write_bytes(b"one")
    built = chosen("copy_image", tmp_path, **{"data.path": str(tmp_path / "videos")})
    film = built.graph[built.children[0].generate["consistent-50s"]]
    assert set(film.upstream) == {"data"}


def test_a_stage_cannot_read_what_it_did_not_declare() -> None:
    read = Reading({"data.fps": 8, "train.lr": 0.1})
    assert read.data.fps == 8
    with pytest.raises(AttributeError):
        _ = read.data.seed
    with pytest.raises(AttributeError, match="did not declare"):
        _ = read.bank


def test_a_changed_video_changes_the_signature(tmp_path: Path) -> None:
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "a.mp4").write_bytes(b"one")

    def report() -> str:
        return pipeline.build(request(overrides={"data.path": str(folder)}), tmp_path / "fingerprints.json").report

    first = report()
    assert report() == first
    (folder / "a.mp4").write_bytes(b"two!")
    assert report() != first


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"condition.motion_frames": 5}, r"condition\.motion_frames is 5"),
        ({"data.clip_frames": 65}, "at most 64 frames"),
        ({"tiny.latent_channels": 49}, "has 48 components"),
        ({"data.seed": 2024}, "both 2024"),
        ({"data.path": "tests", "data.hold_back": 0}, "nothing to start from"),
        ({"condition.padding": -1}, r"condition\.padding=-1"),
        ({"train.lr": float("inf")}, r"train\.lr"),
        ({"data.path": ""}, r"data\.path"),
    ],
)
def test_settings_that_do_not_fit_are_refused(overrides: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(UseError, match=said):
        pipeline.build(request(overrides=overrides), tmp_path / "f.json")


@pytest.mark.parametrize("track", ["talk-300s", "dance-50s"])
def test_a_track_that_is_scored_only_is_refused(track: str, tmp_path: Path) -> None:
    conditional = EXPERIMENTS.get("ablation_eimg").model_copy(update={"tracks": (track,)})
    with pytest.raises(UseError, match=rf"{track}: its films follow .*; set condition.signal="):
        pipeline.build(pipeline.Request(conditional, "x", "tiny"), tmp_path / "f.json")


def test_an_unknown_published_table_is_refused_before_anything_runs(tmp_path: Path) -> None:
    wrong = EXPERIMENTS.get("ablation_eimg").model_copy(update={"compare_to": "svi-44"})
    with pytest.raises(UseError, match="did you mean 'svi-4'"):
        pipeline.build(pipeline.Request(wrong, "x", "tiny"), tmp_path / "f.json")


def test_orderings_are_part_of_a_report_alone_and_unknown_ones_are_refused(tmp_path: Path) -> None:
    plain = EXPERIMENTS.get("ablation_eimg")
    listed = plain.model_copy(update={"orderings": "league"})
    before, after = (pipeline.build(pipeline.Request(one, "x", "tiny"), tmp_path / "f.json") for one in (plain, listed))
    assert {node.signature for node in before.graph} ^ {node.signature for node in after.graph} == {
        before.report,
        after.report,
    }
    wrong = plain.model_copy(update={"orderings": "leage"})
    with pytest.raises(UseError, match="did you mean 'league'"):
        pipeline.build(pipeline.Request(wrong, "x", "tiny"), tmp_path / "f.json")


def test_the_command_repeats_what_was_asked_for() -> None:
    asked = pipeline.Request(
        EXPERIMENTS.get("ablation_eimg"), "my file.py:mine", "tiny", ("code",), {"train.lr": 0.5}, only="full"
    )
    assert asked.command == (
        "harness run 'my file.py:mine' --profile tiny --recipe code --only full --seeds 0, "
        "tracks=consistent-50s,creative-50s train.lr=0.5"
    )


@pytest.mark.parametrize(
    "value", [7, 0.5, True, None, "2024", "None", "true", "1e3", " x ", "a b", "[1]", "ä", '"x"', "last"]
)
def test_what_a_command_repeats_is_read_as_it_was_meant(value: Scalar) -> None:
    asked = pipeline.Request(EXPERIMENTS.get("ablation_eimg"), "mine", "tiny", (), {"eval.path": value})
    (word,) = parse_overrides([shlex.split(asked.command)[-1]]).values()
    assert (word, type(word)) == (value, type(value))


def test_text_that_looks_like_a_number_is_to_be_quoted() -> None:
    with pytest.raises(
        UseError, match=r"""eval\.path=2024 .*: expected text; .* quotes of its own: eval\.path='"2024"'"""
    ):
        pipeline.variant_settings(
            pipeline.Request(EXPERIMENTS.get("ablation_eimg"), "mine", "tiny", (), parse_overrides(["eval.path=2024"])),
            Variant("full"),
            0,
        )
