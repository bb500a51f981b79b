"""Signals in a plan: what of them is identity, which stages they reach, and what they do not go with."""

from pathlib import Path

import pytest

from harness.core.errors import UseError
from harness.declare.request import Request
from harness.experiments import EXPERIMENTS
from harness.plan.pipeline import Pipeline, build

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
        {node.signature: node for node in built(tmp_path, **more).graph} for more in ({}, {"condition__signal": "pose"})
    )
    assert not plain.keys() & {s for s, node in danced.items() if node.kind != "report" and node.kind != "score"}
    for node in danced.values():
        if node.kind in ("backbone", "data", "train", "generate"):
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


def test_a_wan_hears_with_a_wav2vec2_and_the_embedded_model_with_none(tmp_path: Path) -> None:
    with pytest.raises(UseError, match=r"condition\.encoder is for a Wan"):
        built(tmp_path, condition__signal="audio", condition__encoder=str(tmp_path))


def test_a_signal_of_ones_own_is_known_by_its_source(tmp_path: Path, own: str) -> None:
    from harness.declare.parts import chosen

    found = chosen("signal", own)
    assert found.identity["condition.signal"] == "Brightness"
    assert len(found.identity["condition.signal.source"]) == 64
