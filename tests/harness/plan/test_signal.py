"""Signals in a plan: what of them is identity, which stages they reach, and what they do not go with."""

from pathlib import Path

import pytest
from PIL import Image

from benchmarks.track import get_track
from harness.core.errors import UseError
from harness.declare.request import Request, layers_of, resolved
from harness.declare.settings import Settings
from harness.experiments import EXPERIMENTS
from harness.plan.following import check_films
from harness.plan.method import check_training, method_of
from harness.plan.pipeline import Pipeline, build
from tests.guide import written
from tests.svi.conditions.sounds import tone, write_sound

OWN = '''
class Brightness:
    """How bright each frame is."""
    key = "brightness"

    @classmethod
    def of(cls, settings):
        return cls()

    def attach(self, wan, frames_a_latent, side):
        raise NotImplementedError

    def frames(self, sample, data):
        raise NotImplementedError

    def course(self, sample, frames, data):
        raise NotImplementedError
'''


def built(folder: Path, name: str = "ablation_eimg", **overrides: object) -> Pipeline:
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return build(Request(EXPERIMENTS.get(name), name, "tiny", (), dotted), folder / "f.json")


@pytest.fixture
def own(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(OWN)
    return f"{tmp_path / 'mine.py'}:Brightness"


def test_a_signal_reaches_base_model_data_training_and_films(tmp_path: Path) -> None:
    plain, danced = (
        {node.signature: node for node in built(tmp_path, train__show_errors=True, **more).graph}
        for more in ({}, {"condition__signal": "pose"})
    )
    assert not plain.keys() & {s for s, node in danced.items() if node.kind != "report" and node.kind != "score"}
    reached = ("backbone", "data", "train", "generate", "errors")
    assert {node.kind for node in danced.values()} >= set(reached)
    for node in danced.values():
        if node.kind in reached:
            assert node.identity["condition.signal"] == "pose"
            assert node.identity["condition.signal.version"] == 1
            assert node.runtime["condition.signal.target"] == "svi.conditions.dance:Pose"


def test_films_alone_differ_where_they_follow_another(tmp_path: Path) -> None:
    children = {child.variant.name: child for child in built(tmp_path, "ablation_dance").children}
    same = [children[name].train for name in ("full", "another_signal", "no_signal")]
    assert same[0] == same[1] == same[2]
    assert len({tuple(children[name].generate.values()) for name in ("full", "another_signal", "no_signal")}) == 3


def test_a_part_that_would_lose_the_signal_is_refused(tmp_path: Path) -> None:
    says = (
        "method.objective=self_rollout does not make films that follow a signal frame by frame; set method.objective to"
    )
    with pytest.raises(UseError, match=says):
        built(tmp_path, condition__signal="pose", method__objective="self_rollout")


def test_the_embedded_world_follows_no_signal_of_ones_own(tmp_path: Path, own: str) -> None:
    with pytest.raises(UseError, match=r"Brightness: the embedded world follows .*pose.* alone"):
        built(tmp_path, condition__signal=own)


def sample(folder: Path, name: str = "one") -> Path:
    """The folder of one to start from."""
    made = folder / "samples" / name
    made.mkdir(parents=True)
    Image.new("RGB", (32, 32)).save(made / "frame.png")
    (made / "prompt.txt").write_text("a red disc")
    return made


def test_a_sample_without_its_signal_or_with_too_little_is_refused_before_anything_runs(tmp_path: Path) -> None:
    made = sample(tmp_path)
    asked = {"condition__signal": "audio", "eval__path": str(made.parent)}
    with pytest.raises(UseError, match=r"samples/one has no sound; expected audio\.wav beside its image"):
        built(tmp_path, **asked)
    write_sound(made / "audio.wav", tone(49.5))
    with pytest.raises(UseError, match=r"has it for 49\.5 s, and films of consistent-50s last for 50 s; give a longer"):
        built(tmp_path, **asked)
    write_sound(made / "audio.wav", tone(50))
    assert [node for node in built(tmp_path, **asked).graph if node.kind == "generate"]


def test_clips_held_back_have_nothing_to_follow(tmp_path: Path) -> None:
    (tmp_path / "made" / "one").mkdir(parents=True)
    (tmp_path / "made" / "one" / "video.mp4").touch()
    with pytest.raises(UseError, match=r"held back from data\.path have nothing to follow"):
        built(tmp_path, condition__signal="pose", data__path=str(tmp_path / "made"))


def test_a_backbone_of_ones_own_says_whether_it_takes_signals(tmp_path: Path) -> None:
    file = written(tmp_path, "my_backbone.py") / "my_backbone.py"
    asked = {"condition__signal": "pose", "backbone__name": f"{file}:Mosaic", "eval__path": "bundled"}
    with pytest.raises(UseError, match=r"backbone\.name=Mosaic is not built in; .* gives = \(FOLLOWS,\)"):
        built(tmp_path, **asked)


def test_a_wan_hears_with_a_wav2vec2_and_the_embedded_model_with_none(tmp_path: Path) -> None:
    with pytest.raises(UseError, match=r"condition\.encoder is for a Wan"):
        built(tmp_path, condition__signal="audio", condition__encoder=str(tmp_path))


def recipe(name: str, **overrides: object) -> Settings:
    """A Wan at 16 frames a second, by a recipe of its own."""
    return resolved(
        layers_of("wan2.1-i2v-14b-480p", (name,), {k.replace("__", "."): v for k, v in overrides.items()})
    ).settings


def test_speech_is_heard_at_25_frames_a_second_alone(tmp_path: Path) -> None:
    """Its features have so many rows a second; a row is shown with a frame."""
    asked = {"condition__encoder": str(tmp_path), "condition__weights": str(tmp_path)}
    for given, said in (
        ({"generate__fps": 24, "data__fps": 25}, r"films have 24 .*; set generate\.fps=25"),
        ({"generate__fps": None}, r"films have 16 .*; set data\.fps=25"),
    ):
        with pytest.raises(UseError, match=said):
            method_of(recipe("svi-talk", **asked, **given))
    settings = recipe("svi-talk", **asked)  # its films have 25, the profile's training clips 16
    with pytest.raises(UseError, match=r"training clips have 16 .*; set data\.fps=25"):
        check_training(method_of(settings).signal, settings)
    settings = recipe("svi-talk", **asked, data__fps=25)
    check_training(method_of(settings).signal, settings)


@pytest.mark.parametrize(("name", "track"), [("svi-talk", "talk-300s"), ("svi-dance", "dance-50s")])
def test_films_last_as_long_as_what_they_follow(name: str, track: str) -> None:
    check_films(get_track(track), recipe(name))
    short = recipe(name, generate__length="paper_clips", data__clip_frames=77)
    said = r"talk-300s.* 300 s, these for 182\.44 s, .* 60 clips of 77 frames; set generate\.length=seconds"
    with pytest.raises(UseError, match=said if name == "svi-talk" else r"dance-50s.* for 47\.5625 s"):
        check_films(get_track(track), short)


def test_one_sample_alone_has_no_other_to_follow(tmp_path: Path) -> None:
    made = sample(tmp_path)
    write_sound(made / "audio.wav", tone(50))
    asked = {"condition__signal": "audio", "eval__path": str(made.parent), "generate__signal": "another"}
    with pytest.raises(UseError, match=r"signal of another sample, and one is the only one; add samples"):
        built(tmp_path, **asked)
    write_sound(sample(tmp_path, "two") / "audio.wav", tone(50))
    built(tmp_path, **asked)
    with pytest.raises(UseError, match=r"set generate\.samples above 1"):
        built(tmp_path, **asked, generate__samples=1)


def test_a_signal_of_ones_own_is_known_by_its_source(tmp_path: Path, own: str) -> None:
    from harness.declare.parts import chosen

    found = chosen("signal", own)
    assert found.identity["condition.signal"] == "Brightness"
    assert len(found.identity["condition.signal.source"]) == 64
