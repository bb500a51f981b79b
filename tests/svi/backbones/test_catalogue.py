"""Published models, and which clips and conditions each kind of model takes."""

import subprocess
import sys
from typing import Any

import pytest

from svi.backbones.catalogue import EXPERT, LOW_NOISE, MODELS, Geometry, tiny_latent_shape
from svi.settings import ConditionSettings, DataSettings, TinySettings
from tests.svi.wan_folder import Kind

SHAPES: dict[Kind, Geometry] = {
    "wan2.1-i2v": Geometry(image_dim=32),
    "wan2.2-i2v": Geometry(experts=(EXPERT, LOW_NOISE), boundary=0.9),
    "wan2.2-ti2v": Geometry(z_dim=48, spatial=16, expand_timesteps=True),
}


def test_published_models_are_the_three_kinds() -> None:
    published = {name: model.geometry for name, model in MODELS.items()}
    assert published["wan2.1-i2v-14b-480p"] == published["wan2.1-i2v-14b-720p"]
    assert published["wan2.2-i2v-a14b"] == SHAPES["wan2.2-i2v"]
    assert published["wan2.2-ti2v-5b"] == SHAPES["wan2.2-ti2v"]
    assert published["wan2.1-i2v-14b-480p"].conditioning == "condition latents, CLIP feature"
    assert [shape.mask_channels for shape in SHAPES.values()] == [4, 4, 1]
    for model in MODELS.values():
        assert model.geometry.latent_shape(model.height, model.width, model.frames)[0] == model.geometry.z_dim
    big = MODELS["wan2.1-i2v-14b-480p"]
    assert big.geometry.latent_shape(big.height, big.width, big.frames) == (16, 21, 60, 104)


@pytest.mark.parametrize(
    ("shape", "size", "message"),
    [
        (Geometry(), (470, 832, 81), "470 x 832; .* multiples of 16 .* such as 464 x 832"),
        (SHAPES["wan2.2-ti2v"], (720, 1280, 121), "multiples of 32 .* such as 704 x 1280"),
        (Geometry(), (480, 832, 80), "4 k \\+ 1 frames, such as 81"),
        (Geometry(), (480, 832, 2), "4 k \\+ 1 frames, such as 5"),
    ],
)
def test_sizes_are_checked(shape: Geometry, size: tuple[int, int, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shape.check_size(*size)


def test_ti2v_takes_whole_latents_and_no_padding() -> None:
    shape = SHAPES["wan2.2-ti2v"]
    shape.check_condition(ConditionSettings(motion_frames=5, padding="zeros"))
    shape.check_condition(ConditionSettings(motion_frames=4, padding="zeros", anchor=True))
    SHAPES["wan2.1-i2v"].check_condition(ConditionSettings(motion_frames=3, padding="reference"))
    with pytest.raises(ValueError, match=r"condition.padding is 'reference'"):
        shape.check_condition(ConditionSettings(motion_frames=5, padding="reference"))
    with pytest.raises(ValueError, match=r"condition.motion_frames is 4"):
        shape.check_condition(ConditionSettings(motion_frames=4, padding="zeros"))


@pytest.mark.parametrize(
    ("data", "tiny", "message"),
    [
        ({"height": 20}, {}, "20 x 16; the tiny backbone needs multiples of 8"),
        ({"clip_frames": 65}, {}, "data.clip_frames is 65; .* at most 64 frames"),
        ({}, {"latent_channels": 49}, "tiny.latent_channels is 49, but a patch of the codec has 48 components"),
        (
            {"clip_frames": 7},
            {"codec": "wan"},
            "data.clip_frames is 7; with tiny.codec=wan a clip has 4 k . 1 frames, such as 9",
        ),
        ({}, {"codec": "wan", "codec_patch": 2}, "tiny.codec_patch is 2; with tiny.codec=wan set 4 or 8"),
    ],
)
def test_what_the_embedded_backbone_cannot_make_is_refused(
    data: dict[str, int], tiny: dict[str, Any], message: str
) -> None:
    assert tiny_latent_shape(TinySettings(), DataSettings()) == (8, 5, 4, 4)
    assert tiny_latent_shape(TinySettings(codec="wan"), DataSettings(clip_frames=9)) == (8, 3, 4, 4)
    with pytest.raises(ValueError, match=message):
        tiny_latent_shape(TinySettings(**tiny), DataSettings(**data))


def test_a_plan_of_a_model_loads_no_torch() -> None:
    code = "import sys, svi.backbones.catalogue, svi.backbones.weights; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
