"""The condition of Wan in files, in every form."""

from pathlib import Path
from typing import Any

import pytest
import torch

from svi.backbones.wan import WanBackbone, squashed
from svi.backbones.wan_vae import pixels
from svi.settings import ConditionSettings
from tests.svi.backbones.wans import ONE_FRAME, SETTINGS, noise_for, picture, sizes
from tests.svi.wan_folder import IMAGE_DIM, KINDS, Kind

torch.set_num_threads(1)


# Condition of Wan 2.1 and A14B


def test_mask_is_on_the_first_frame_only_even_with_five_motion_frames(backbones: dict[Kind, WanBackbone]) -> None:
    motion = picture("wan2.1-i2v", frames=5)
    condition = backbones["wan2.1-i2v"].condition(motion, motion[:, 0], ConditionSettings(motion_frames=5))
    mask = condition["latents"][:, :4]
    assert condition["latents"].shape == (1, 20, 3, 4, 6)
    assert (mask[:, :, 0] == 1).all()
    assert (mask[:, :, 1:] == 0).all()
    assert condition["image"].shape == (1, 5, IMAGE_DIM)
    assert "image" not in backbones["wan2.2-i2v"].condition(motion, motion[:, 0], ConditionSettings(motion_frames=5))


@pytest.mark.parametrize("padding", ["zeros", "repeat", "reference", 2, 100])
def test_padding_in_pixels(padding: str | int, backbones: dict[Kind, WanBackbone]) -> None:
    """The condition latents are those of one video: motion frames, then padding."""
    backbone = backbones["wan2.2-i2v"]
    motion, reference = picture("wan2.2-i2v", frames=3), picture("wan2.2-i2v", seed=9)[:, 0]
    copies = {"zeros": 0, "reference": 6, 2: 2, 100: 6}
    filling = (
        [motion[:, 2]] * 6 if padding == "repeat" else [reference] * copies[padding] + [None] * (6 - copies[padding])
    )
    grey = torch.zeros(1, 3, 4, 4)[:, :, :1, :1].expand(1, 3, 32, 48)
    tail = [grey if frame is None else pixels(frame[:, None])[:, :, 0] for frame in filling]
    video = torch.cat([pixels(motion), torch.stack(tail, dim=2)], dim=2)
    expected = backbone._encode(video)
    settings = ConditionSettings(motion_frames=3, padding=padding)
    assert torch.equal(backbone.condition(motion, reference, settings)["latents"][:, 4:], expected)


@pytest.mark.parametrize("padding", ["zeros", "repeat", "reference", 1])
def test_handoff_in_latents(padding: str | int, backbones: dict[Kind, WanBackbone]) -> None:
    backbone = backbones["wan2.1-i2v"]
    motion, reference = picture("wan2.1-i2v"), picture("wan2.1-i2v", seed=9)[:, 0]
    latents = torch.randn(1, 16, 1, 4, 6)
    found = backbone.condition(motion, reference, ConditionSettings(motion_frames=1, padding=padding), latents)[
        "latents"
    ]
    image, nothing = backbone.encode(reference[:, None]), torch.zeros_like(latents)
    tail = {"zeros": [nothing] * 2, "repeat": [latents] * 2, "reference": [image] * 2, 1: [image, nothing]}[padding]
    assert torch.equal(found[:, 4:], torch.cat([latents, *tail], dim=2))
    assert (found[:, :4, 0] == 1).all()
    assert (found[:, :4, 1:] == 0).all()


@pytest.mark.parametrize("given_latents", [False, True])
def test_anchor_stands_before_the_motion(given_latents: bool, backbones: dict[Kind, WanBackbone]) -> None:
    backbone = backbones["wan2.1-i2v"]
    motion, reference = picture("wan2.1-i2v", frames=4), picture("wan2.1-i2v", seed=9)[:, 0]
    settings = ConditionSettings(motion_frames=4, anchor=True)
    latents = torch.randn(1, 16, 1, 4, 6) if given_latents else None
    found = backbone.condition(motion, reference, settings, latents)
    if latents is None:  # four frames after their first: the second latent of that video
        latents = backbone.encode(torch.cat([motion[:, :1], motion], dim=1))[:, :, 1:]
    assert torch.equal(found["latents"][:, 4:, :1], backbone.encode(reference[:, None]))
    assert torch.equal(found["latents"][:, 4:, 1:2], latents)
    assert (found["latents"][:, 4:, 2:] == 0).all()
    assert (found["latents"][:, :4, 1:] == 0).all()
    assert torch.equal(found["image"], backbone._image_feature(reference))


def test_image_feature_is_of_the_first_motion_frame(backbones: dict[Kind, WanBackbone]) -> None:
    backbone = backbones["wan2.1-i2v"]
    motion, reference = picture("wan2.1-i2v", frames=5), picture("wan2.1-i2v", seed=9)[:, 0]
    found = backbone.condition(motion, reference, ConditionSettings(motion_frames=5))["image"]
    assert torch.equal(found, backbone._image_feature(motion[:, 0]))
    assert not torch.equal(found, backbone._image_feature(reference))


def test_squash_keeps_the_borders_that_the_processor_crops(folders: dict[Kind, Path]) -> None:
    settings = SETTINGS.model_copy(update={"clip_image": "squash"})
    squash = WanBackbone.load(folders["wan2.1-i2v"], settings, sizes("wan2.1-i2v"), experts=())
    crop = WanBackbone.load(folders["wan2.1-i2v"], SETTINGS, sizes("wan2.1-i2v"), experts=())
    image = picture("wan2.1-i2v")[:, 0]
    changed = image.clone()
    changed[:, :, :4] = 255 - changed[:, :, :4]  # 32 x 48: the crop leaves 8 columns out on each side
    assert torch.equal(crop._image_feature(image), crop._image_feature(changed))
    assert not torch.equal(squash._image_feature(image), squash._image_feature(changed))


def test_squash_is_the_processors_normalisation_of_a_square() -> None:
    """A picture that is square already is only normalised."""
    image = picture("wan2.1-i2v")[:, 0, :28, :28]
    mean, std = [0.48, 0.45, 0.4], [0.26, 0.25, 0.27]
    expected = (image[0].permute(2, 0, 1) / 255 - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(squashed(image, 28, mean, std)[0], expected)


def test_too_many_motion_frames_are_refused(backbones: dict[Kind, WanBackbone]) -> None:
    motion = picture("wan2.1-i2v", frames=13)
    with pytest.raises(ValueError, match="13 frames does not fit into a clip of 9"):
        backbones["wan2.1-i2v"].condition(motion, motion[:, 0], ConditionSettings(motion_frames=13))


# Condition of TI2V-5B


def test_ti2v_is_given_clean_latents(backbones: dict[Kind, WanBackbone]) -> None:
    backbone, motion = backbones["wan2.2-ti2v"], picture("wan2.2-ti2v", frames=5)
    condition = backbone.condition(motion, motion[:, 0], ConditionSettings(motion_frames=5))
    assert condition["latents"].shape == (1, 49, 3, 2, 4)
    assert condition["latents"][0, 0, :, 0, 0].tolist() == [1, 1, 0]
    assert torch.equal(condition["latents"][:, 1:, :2], backbone.encode(motion))
    assert (condition["latents"][:, 1:, 2:] == 0).all()
    learned = backbone.learned(condition)
    assert learned is not None
    assert learned.shape == (1, 1, 3, 1, 1)
    assert learned.flatten().tolist() == [0, 0, 1]
    x, timestep = backbone._model_input(noise_for(backbone), torch.tensor([500.0]), condition)
    assert timestep.tolist() == [[0, 0, 0, 0, 500, 500]]  # 1 x 2 tokens a latent frame
    assert torch.equal(x[:, :, :2], condition["latents"][:, 1:, :2])
    assert torch.equal(x[:, :, 2:], noise_for(backbone)[:, :, 2:])
    assert torch.equal(backbone.finish(noise_for(backbone), condition), x)


def test_others_predict_everywhere(backbones: dict[Kind, WanBackbone]) -> None:
    motion = picture("wan2.1-i2v")
    condition = backbones["wan2.1-i2v"].condition(motion, motion[:, 0], ONE_FRAME)
    assert backbones["wan2.1-i2v"].learned(condition) is None


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"motion_frames": 5, "padding": "reference"}, "condition.padding=zeros"),
        ({"motion_frames": 3}, "4 k \\+ 1 frames"),
        ({"motion_frames": 5, "anchor": True}, "4 k \\+ 0 frames behind an anchor"),
    ],
)
def test_ti2v_refuses_what_does_nothing(settings: Any, message: str, backbones: dict[Kind, WanBackbone]) -> None:
    motion = picture("wan2.2-ti2v", frames=5)
    with pytest.raises(ValueError, match=message):
        backbones["wan2.2-ti2v"].condition(motion, motion[:, 0], ConditionSettings(**settings))


@pytest.mark.parametrize("kind", KINDS)
def test_films_side_by_side_are_conditioned_as_alone(kind: Kind, backbones: dict[Kind, WanBackbone]) -> None:
    backbone, settings = backbones[kind], ConditionSettings(motion_frames=5)
    films, images = [picture(kind, seed, frames=9) for seed in (1, 2)], [picture(kind, seed)[:, 0] for seed in (3, 4)]
    assert torch.equal(backbone.encode(torch.cat(films)), torch.cat([backbone.encode(film) for film in films]))
    both = backbone.condition(torch.cat(films)[:, :5], torch.cat(images), settings)
    alone = [backbone.condition(film[:, :5], image, settings) for film, image in zip(films, images, strict=True)]
    for key, value in both.items():
        torch.testing.assert_close(value, torch.cat([condition[key] for condition in alone]))
