"""The base of backbones of one's own, as docs/extend.md uses it."""

import runpy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from svi.backbones.backbone import Backbone
from svi.backbones.catalogue import Geometry
from svi.backbones.plain import PlainBackbone
from svi.backbones.wrapped import bare, caches
from svi.lora import adapter
from svi.lora.stack import Lora
from svi.settings import BackboneSettings, ConditionSettings, DataSettings, TrainSettings
from svi.training.objective import tokens_of
from tests.guide import written

DATA = DataSettings(height=16, width=24, clip_frames=5)


@pytest.fixture(scope="module")
def kind(tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = written(tmp_path_factory.mktemp("guide"), "my_backbone.py") / "my_backbone.py"
    return runpy.run_path(str(file))["Mosaic"]


@pytest.fixture
def backbone(kind: Any) -> PlainBackbone:
    made: PlainBackbone = kind.load(None, BackboneSettings(), DATA)
    return made


def test_it_keeps_to_the_protocol(backbone: PlainBackbone) -> None:
    whole: Backbone = backbone
    names = [name for name in (*vars(Backbone), *Backbone.__annotations__) if not name.startswith("_")]
    assert [name for name in names if not hasattr(whole, name)] == []


def test_shapes_follow_from_the_geometry(backbone: PlainBackbone) -> None:
    assert backbone.latent_shape == (48, 5, 4, 6)
    assert tokens_of(backbone, "transformer") == 5 * 4 * 6
    backbone.resize(32, 32)
    assert backbone.latent_shape == (48, 5, 8, 8)
    with pytest.raises(ValueError, match="needs multiples of 4"):
        backbone.resize(30, 32)


def test_a_clip_is_conditioned_on_what_it_is_given(backbone: PlainBackbone) -> None:
    """A mask that is 1 on the first frame, the encoded frame, then the padding."""
    frame = torch.randint(256, (2, 1, 16, 24, 3), dtype=torch.uint8)
    settings = ConditionSettings(motion_frames=1, padding="repeat")
    given = backbone.condition(frame, frame[:, 0], settings)["latents"]
    assert given.shape == (2, 1 + 48, 5, 4, 6)
    assert given[:, 0].amax((2, 3)).tolist() == [[1, 0, 0, 0, 0]] * 2
    assert torch.equal(given[:, 1:], backbone.encode(frame).expand(-1, -1, 5, -1, -1))
    assert torch.equal(backbone.decode(given[:, 1:]), frame.expand(-1, 5, -1, -1, -1))


def test_what_a_subclass_leaves_out_is_abstract() -> None:
    class Half(PlainBackbone):
        geometry = Geometry()

        def encode(self, frames: torch.Tensor) -> torch.Tensor:
            return frames

    with pytest.raises(TypeError, match="abstract method"):
        Half(None, DATA)  # type: ignore[abstract]


def test_another_transformer_than_wans_is_found_and_kept_whole(
    kind: Any, backbone: PlainBackbone, tmp_path: Path
) -> None:
    """Inside what wraps it; every parameter is trained, written and read."""
    model: Any = adapter.adapted(backbone, TrainSettings(adapter="full"))
    assert bare(nn.Sequential(model)) is model
    assert type(model).__name__ == "Net"
    assert not caches(model)
    with torch.no_grad():
        model.leave.bias.fill_(3)
    adapter.save(model, tmp_path)
    fresh = kind.load(None, BackboneSettings(), DATA)
    loaded: Any = adapter.load(fresh, [Lora(tmp_path)])
    assert torch.equal(loaded.leave.bias, model.leave.bias)
    half: Any = adapter.load(fresh, [Lora(tmp_path, 0.5)])
    start = fresh.transformers["transformer"].leave.bias
    assert torch.allclose(half.leave.bias, (start + 3) / 2)


@pytest.mark.parametrize("frames", [1, 2, 5, 64])
def test_a_model_without_compression_in_time_takes_any_number_of_frames(frames: int) -> None:
    assert Geometry(frames_a_latent=1, spatial=4, patch=1).latent_shape(16, 16, frames)[1] == frames
