"""Wan in files: our pieces against diffusers' pipeline to the last bit."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FirstBlockCacheConfig, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from torch import Tensor

from svi.backbones.wan import WanBackbone
from svi.backbones.weights import read_geometry
from svi.settings import DataSettings
from tests.svi.backbones.wans import ONE_FRAME, SETTINGS, noise_for, picture, sizes
from tests.svi.wan_folder import KINDS, TEXT_DIM, Kind, euler_sigmas, pipeline_latents, scheduler_for

torch.set_num_threads(1)

PROMPT, NEGATIVE = "a cat walks &amp; runs  over the red square", "no text"
GUIDANCE = 5.0


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
    encoder = backbone.text_encoder[1]
    backbone.rest_text_encoder()
    assert torch.equal(backbone.encode_text([PROMPT]), before)
    assert backbone.text_encoder[1] is encoder


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
