"""Wan in files: our pieces against diffusers' pipeline to the last bit, and every form of the condition."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FirstBlockCacheConfig, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from torch import Tensor

from svi.backbones.wan import WanBackbone, pixels, squashed
from svi.backbones.weights import read_geometry
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi.wan_folder import (
    IMAGE_DIM,
    KINDS,
    TEXT_DIM,
    Kind,
    WanFolder,
    euler_sigmas,
    pipeline_latents,
    scheduler_for,
)

torch.set_num_threads(1)

SETTINGS = BackboneSettings(name="folder", text_tokens=16)
ONE_FRAME = ConditionSettings(motion_frames=1, padding="zeros")
PROMPT, NEGATIVE = "a cat walks &amp; runs  over the red square", "no text"
GUIDANCE = 5.0


def sizes(kind: Kind) -> DataSettings:
    """Nine frames, small."""
    return DataSettings(height=32, width=64 if kind == "wan2.2-ti2v" else 48, clip_frames=9)


@pytest.fixture(scope="module")
def folders(wan_folder: WanFolder) -> dict[Kind, Path]:
    return {kind: wan_folder(kind) for kind in KINDS}


@pytest.fixture(scope="module")
def backbones(folders: dict[Kind, Path]) -> dict[Kind, WanBackbone]:
    return {kind: WanBackbone.load(folder, SETTINGS, sizes(kind)) for kind, folder in folders.items()}


def picture(kind: Kind, seed: int = 0, frames: int = 1) -> Tensor:
    """[1, frames, H, W, 3] uint8"""
    size = sizes(kind)
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (1, frames, size.height, size.width, 3), dtype=torch.uint8, generator=generator)


def noise_for(backbone: WanBackbone) -> Tensor:
    return torch.randn(1, *backbone.latent_shape, generator=torch.Generator().manual_seed(1))


def clip(backbone: WanBackbone, image: Tensor, scheduler: Any, steps: int, guidance: dict[str, float]) -> Tensor:
    """One clip from our pieces. image [1, 1, H, W, 3], guidance: scale by expert."""
    condition = backbone.condition(image, image[:, 0], ONE_FRAME)
    text, negative = backbone.encode_text([PROMPT]), backbone.encode_text([NEGATIVE])
    x = noise_for(backbone)
    scheduler.set_timesteps(steps)
    with torch.no_grad():
        for timestep in scheduler.timesteps:
            t = 1 - timestep.double()[None] / 1000
            expert = backbone.expert(float(1 - t))
            model = backbone.transformers[expert]
            cond = backbone.velocity(model, x, t, condition, text)
            uncond = backbone.velocity(model, x, t, condition, negative, "uncond")
            v = uncond + guidance[expert] * (cond - uncond)
            x = scheduler.step(-v, timestep, x, return_dict=False)[0]
    return backbone.finish(x, condition)


@pytest.mark.parametrize("solver", ["euler", "unipc"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_clip_is_what_diffusers_makes(
    kind: Kind, solver: str, folders: dict[Kind, Path], backbones: dict[Kind, WanBackbone]
) -> None:
    backbone, image, steps, shift = backbones[kind], picture(kind), 6, 5.0
    low = 2.0 if kind == "wan2.2-i2v" else None
    scales = {"transformer": GUIDANCE, "transformer_2": low or GUIDANCE}
    ours = clip(backbone, image, scheduler_for(solver, steps, shift), steps, scales)
    noise, tokens = noise_for(backbone), SETTINGS.text_tokens
    given = (folders[kind], image[0, 0], PROMPT, NEGATIVE, noise, steps, shift, GUIDANCE, low, solver)
    theirs = pipeline_latents(*given, text_tokens=tokens)
    assert (ours - theirs).abs().max() == 0
    assert ours.std() > 0.1


def test_both_experts_of_a14b_work(backbones: dict[Kind, WanBackbone]) -> None:
    backbone = backbones["wan2.2-i2v"]
    experts = [backbone.expert(float(sigma)) for sigma in euler_sigmas(6, 5.0)]
    assert experts == ["transformer"] * 3 + ["transformer_2"] * 3


def test_boundary_belongs_to_the_first_expert(folders: dict[Kind, Path]) -> None:
    for boundary, expected in ((None, 0.9), (0.875, 0.875)):
        settings = SETTINGS.model_copy(update={"boundary": boundary})
        backbone = WanBackbone.load(folders["wan2.2-i2v"], settings, sizes("wan2.2-i2v"), experts=())
        assert backbone.transformers == {}
        assert backbone.expert(expected) == "transformer"
        assert backbone.expert(expected - 1e-6) == "transformer_2"
        assert backbone.span("transformer") == (expected, 1.1)
        assert backbone.span("transformer_2") == (0.0, expected)


def test_one_expert_works_everywhere(backbones: dict[Kind, WanBackbone]) -> None:
    backbone = backbones["wan2.1-i2v"]
    assert backbone.expert(0.01) == backbone.expert(1.0) == "transformer"
    low, high = backbone.span("transformer")
    assert low == 0
    assert high > 1


@pytest.mark.parametrize("shift", [3.0, 5.0])
def test_t_in_float64_gives_the_schedulers_timestep(shift: float, backbones: dict[Kind, WanBackbone]) -> None:
    """1000 (1 - t) rounds to the scheduler's float32 timestep at each of 50 steps; float32 throughout does not."""
    euler = FlowMatchEulerDiscreteScheduler(shift=1.0)
    euler.set_timesteps(sigmas=euler_sigmas(50, shift).numpy())
    unipc = UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=shift)
    unipc.set_timesteps(50)
    backbone, seen = backbones["wan2.2-i2v"], []
    model = backbone.transformers["transformer"]
    hook = model.register_forward_pre_hook(lambda *call: seen.append(float(call[2]["timestep"])), with_kwargs=True)
    condition, x, text = (
        {"latents": torch.zeros(1, 20, 1, 2, 2)},
        torch.zeros(1, 16, 1, 2, 2),
        torch.zeros(1, 4, TEXT_DIM),
    )
    timesteps = [*euler.timesteps, *unipc.timesteps]
    with torch.no_grad():
        for timestep in timesteps:
            backbone.velocity(model, x, 1 - timestep.double()[None] / 1000, condition, text)
    hook.remove()
    assert seen == [float(timestep) for timestep in timesteps]
    careless = 1000 * (1 - (1 - euler.timesteps / 1000))
    assert (careless != euler.timesteps).any()


# Text


def test_text_is_padded_with_zeros_and_cut(backbones: dict[Kind, WanBackbone]) -> None:
    backbone = backbones["wan2.1-i2v"]
    short, long, dirty = backbone.encode_text(["a cat", "a cat walks " * 20, "  a \n cat "])
    assert short.shape == (16, TEXT_DIM)
    assert short.dtype == torch.float32
    assert (short[3:] == 0).all()  # two words and the end
    assert (short[:3].abs().sum(1) > 0).all()
    assert (long.abs().sum(1) > 0).all()
    assert torch.equal(short, dirty)


def test_text_encoder_is_freed_and_loaded_again(folders: dict[Kind, Path]) -> None:
    backbone = WanBackbone.load(folders["wan2.1-i2v"], SETTINGS, sizes("wan2.1-i2v"), experts=())
    before = backbone.encode_text([PROMPT])
    assert "text_encoder" in backbone.__dict__
    backbone.free_text_encoder()
    assert "text_encoder" not in backbone.__dict__
    assert torch.equal(backbone.encode_text([PROMPT]), before)


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


# Encoding, decoding, velocity


@pytest.mark.parametrize("kind", KINDS)
def test_decoding_gives_the_clips_pixels(
    kind: Kind, folders: dict[Kind, Path], backbones: dict[Kind, WanBackbone]
) -> None:
    """As diffusers' pipeline decodes the same latents."""
    from diffusers import WanImageToVideoPipeline

    backbone, size = backbones[kind], sizes(kind)
    x = torch.cat([noise_for(backbone), 2 * noise_for(backbone)])
    frames = backbone.decode(x)
    assert frames.shape == (2, 9, size.height, size.width, 3)
    assert frames.dtype == torch.uint8
    assert len(frames.unique()) > 100
    pipeline = WanImageToVideoPipeline.from_pretrained(folders[kind])
    mean, std = (
        torch.tensor(v).view(1, -1, 1, 1, 1)
        for v in (pipeline.vae.config.latents_mean, pipeline.vae.config.latents_std)
    )
    with torch.no_grad():
        video = pipeline.vae.decode(x[1:] / (1.0 / std) + mean, return_dict=False)[0]
    theirs = pipeline.video_processor.postprocess_video(video, output_type="pil")[0]
    assert all(np.array_equal(np.asarray(image), ours.numpy()) for image, ours in zip(theirs, frames[1], strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_films_side_by_side_are_conditioned_as_alone(kind: Kind, backbones: dict[Kind, WanBackbone]) -> None:
    backbone, settings = backbones[kind], ConditionSettings(motion_frames=5)
    films, images = [picture(kind, seed, frames=9) for seed in (1, 2)], [picture(kind, seed)[:, 0] for seed in (3, 4)]
    assert torch.equal(backbone.encode(torch.cat(films)), torch.cat([backbone.encode(film) for film in films]))
    both = backbone.condition(torch.cat(films)[:, :5], torch.cat(images), settings)
    alone = [backbone.condition(film[:, :5], image, settings) for film, image in zip(films, images, strict=True)]
    for key, value in both.items():
        torch.testing.assert_close(value, torch.cat([condition[key] for condition in alone]))


def test_last_frames_in_latents(backbones: dict[Kind, WanBackbone]) -> None:
    assert [backbones["wan2.1-i2v"].latent_frames(m) for m in (1, 4, 5, 8, 9)] == [1, 1, 2, 2, 3]


def test_tiling_is_a_setting(folders: dict[Kind, Path]) -> None:
    settings = SETTINGS.model_copy(update={"vae_tiling": True})
    assert WanBackbone.load(folders["wan2.1-i2v"], settings, sizes("wan2.1-i2v"), experts=()).vae.use_tiling


def test_velocity_in_bfloat16_and_through_peft(folders: dict[Kind, Path], backbones: dict[Kind, WanBackbone]) -> None:
    from peft import LoraConfig, get_peft_model

    settings = SETTINGS.model_copy(update={"dtype": "bfloat16"})
    half, whole = WanBackbone.load(folders["wan2.1-i2v"], settings, sizes("wan2.1-i2v")), backbones["wan2.1-i2v"]
    image = picture("wan2.1-i2v")
    condition, text = whole.condition(image, image[:, 0], ONE_FRAME), whole.encode_text([PROMPT])
    x, t = noise_for(whole), torch.tensor([0.3])
    exact = whole.velocity(whole.transformers["transformer"], x, t, condition, text)
    config = LoraConfig(r=2, target_modules=list(half.lora_targets))
    model = get_peft_model(half.transformers["transformer"], config)
    rough = half.velocity(model, x, t, condition, text)
    assert rough.dtype == torch.float32
    assert 0 < (rough - exact).abs().max() < 0.1 * exact.abs().max()
    rough.square().mean().backward()
    assert any(p.grad is not None and p.grad.abs().max() > 0 for n, p in model.named_parameters() if "lora_B" in n)


def test_branches_keep_their_own_cache(folders: dict[Kind, Path]) -> None:
    """With a caching hook that always skips, the first call of each branch is computed, the second remembered."""
    backbone = WanBackbone.load(folders["wan2.2-i2v"], SETTINGS, sizes("wan2.2-i2v"), experts=("transformer",))
    model, image = backbone.transformers["transformer"], picture("wan2.2-i2v")
    condition = backbone.condition(image, image[:, 0], ONE_FRAME)
    text = {"cond": backbone.encode_text([PROMPT]), "uncond": backbone.encode_text([NEGATIVE])}

    def velocity(branch: str, t: float) -> Tensor:
        with torch.no_grad():
            return backbone.velocity(model, noise_for(backbone), torch.tensor([t]), condition, text[branch], branch)

    plain = {branch: velocity(branch, 0.3) for branch in text}
    later = {branch: velocity(branch, 0.9) for branch in text}
    model.enable_cache(FirstBlockCacheConfig(threshold=1e9))
    for branch in text:
        assert torch.equal(velocity(branch, 0.3), plain[branch])
    for branch in text:
        torch.testing.assert_close(velocity(branch, 0.3), plain[branch])
        assert not torch.allclose(velocity(branch, 0.9), later[branch])


# Loading


def test_a_wrong_size_is_refused_before_weights_are_read(folders: dict[Kind, Path]) -> None:
    for kind, size, message in (
        ("wan2.1-i2v", {"height": 40, "width": 48, "clip_frames": 9}, "multiples of 16"),
        ("wan2.2-ti2v", {"height": 48, "width": 64, "clip_frames": 9}, "multiples of 32"),
        ("wan2.1-i2v", {"height": 32, "width": 48, "clip_frames": 8}, "4 k \\+ 1 frames, such as 9"),
    ):
        with pytest.raises(ValueError, match=message):
            WanBackbone.load(folders[kind], SETTINGS, DataSettings(**size))


def test_transformers_are_frozen(backbones: dict[Kind, WanBackbone]) -> None:
    assert not any(p.requires_grad for b in backbones.values() for m in b.transformers.values() for p in m.parameters())


def test_shapes_of_the_folders(folders: dict[Kind, Path], backbones: dict[Kind, WanBackbone]) -> None:
    for kind in KINDS:
        assert backbones[kind].shape == read_geometry(folders[kind])
    assert backbones["wan2.1-i2v"].latent_shape == (16, 3, 4, 6)
    assert backbones["wan2.2-ti2v"].latent_shape == (48, 3, 2, 4)


@pytest.mark.parametrize("kind", KINDS)
def test_a_time_for_each_latent_frame(kind: Kind, backbones: dict[Kind, WanBackbone]) -> None:
    """Equal times are one time; another time of one frame changes what the model says."""
    backbone = backbones[kind]
    image = picture(kind)
    model = backbone.transformers["transformer"]
    condition, text = backbone.condition(image, image[:, 0], ONE_FRAME), backbone.encode_text([PROMPT])
    x, t = noise_for(backbone), torch.tensor([0.3])
    each = t[:, None].repeat(1, backbone.latent_shape[1])
    with torch.no_grad():
        one, same = (backbone.velocity(model, x, times, condition, text) for times in (t, each))
        each[:, -1] = 0.8
        other = backbone.velocity(model, x, each, condition, text)
    torch.testing.assert_close(one, same, atol=1e-5, rtol=0)
    assert float((other - one)[:, :, -1].abs().max()) > 1e-4
