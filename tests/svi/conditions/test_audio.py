"""Windows of speech, and the adapter that shows them to the blocks of diffusers' own transformer."""

import copy

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import Tensor

from svi.backbones.adapters import added, showing
from svi.backbones.attention import causal
from svi.backbones.tiny import TinyBackbone
from svi.backbones.wrapped import LORA_TARGETS
from svi.conditions.audio import AudioAdapter, clip, windows
from svi.settings import ConditionSettings
from tests.svi.conditions.listeners import (
    CHANNELS,
    LAYERS,
    STATES,
    TOKENS,
    WIDTH,
    attached,
    run,
    speech,
    tokens_by_hand,
    trained,
    wan,
    windows_by_hand,
    written_out,
)

torch.set_num_threads(1)


# Windows


def test_a_clip_is_shown_two_frames_more_on_either_side() -> None:
    film = torch.arange(20.0)[:, None, None].expand(20, LAYERS, STATES)
    assert clip(film, 6, 5).shape == (9, LAYERS, STATES)
    assert clip(film, 6, 5)[:, 0, 0].tolist() == [4, 5, 6, 7, 8, 9, 10, 11, 12]
    assert clip(film, 0, 3)[:, 0, 0].tolist() == [0, 0, 0, 1, 2, 3, 4]
    assert clip(film, 17, 5)[:, 0, 0].tolist() == [15, 16, 17, 18, 19, 19, 19, 19, 19]


def test_the_windows_of_wan() -> None:
    """(1, 5, 12, 768) and (20, 8, 12, 768) of 81 frames."""
    first, others = windows(torch.zeros(1, 85, 12, 768), 4)
    assert first.shape == (1, 1, 5, 12, 768)
    assert others.shape == (1, 20, 8, 12, 768)


@pytest.mark.parametrize(("frames", "frames_a_latent"), [(9, 4), (5, 4), (9, 1), (2, 1), (7, 2)])
def test_windows_are_those_of_the_facts(frames: int, frames_a_latent: int) -> None:
    given = speech(frames)
    first, others = windows(given, frames_a_latent)
    [expected, *rest] = windows_by_hand(given, frames_a_latent)
    assert torch.equal(first[:, 0], expected)
    assert torch.equal(others, torch.stack(rest, dim=1))


@pytest.mark.parametrize("frames", [8, 10, 1])
def test_a_clip_of_no_whole_latent_frames_is_refused(frames: int) -> None:
    with pytest.raises(ValueError, match=rf"clip of {frames} frames, expected 1 \+ a multiple of 4"):
        windows(speech(frames), 4)


# The adapter


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_until_it_is_trained_no_bit_changes(dtype: torch.dtype) -> None:
    plain = wan().to(dtype)
    adapted = copy.deepcopy(plain)
    adapter = attached(adapted)
    assert {parameter.dtype for parameter in adapter.parameters()} == {dtype}
    assert torch.equal(run(adapted, speech()), run(plain, None))
    assert torch.equal(run(adapted, None), run(plain, None))


def test_without_speech_no_bit_changes() -> None:
    plain = wan()
    adapted = copy.deepcopy(plain)
    attached(adapted)
    trained(adapted)
    assert torch.equal(run(adapted, None), run(plain, None))
    assert not torch.allclose(run(adapted, speech()), run(plain, None), atol=1e-2)
    assert torch.equal(run(adapted, None), run(plain, None))


@pytest.mark.parametrize(("frames_a_latent", "frames", "latents"), [(4, 9, 3), (1, 4, 4), (2, 9, 5)])
def test_it_computes_what_multitalk_does(frames_a_latent: int, frames: int, latents: int) -> None:
    """The whole transformer, against blocks that are written out."""
    adapted = wan()
    adapter = attached(adapted, frames_a_latent)
    trained(adapted)
    given = speech(frames)
    plain = written_out(wan(), added(adapted), given, frames_a_latent)
    torch.testing.assert_close(run(adapted, given, latents), run(plain, None, latents), rtol=1e-4, atol=1e-4)
    tokens = adapter.shown(given)
    assert tokens.shape == (2, latents, TOKENS, WIDTH)
    torch.testing.assert_close(tokens, tokens_by_hand(added(adapted), given, frames_a_latent), rtol=1e-4, atol=1e-4)


def test_a_latent_frame_hears_its_own_speech_alone() -> None:
    """At the layer itself: behind it, self-attention tells the others."""
    adapted = wan()
    adapter = attached(adapted)
    trained(adapted)
    given, other = speech(), speech()
    other[:, -1] += 1  # two frames behind the clip's last one: of the third latent frame alone
    run(adapted, given)
    layer, x = adapted.blocks[0].audio_cross_attn, torch.randn(2, 18, CHANNELS)
    with torch.no_grad():
        moved = (layer(x, adapter.shown(given)) - layer(x, adapter.shown(other))).abs().amax((0, 2))
    assert (moved[:12] == 0).all()
    assert (moved[12:] > 0).all()


def test_clips_of_a_batch_are_heard_as_alone() -> None:
    adapted = wan()
    attached(adapted)
    trained(adapted)
    both = speech()
    mixed = torch.stack([both[0], torch.zeros_like(both[1])])
    torch.testing.assert_close(run(adapted, both)[0], run(adapted, mixed)[0])
    assert not torch.allclose(run(adapted, both)[1], run(adapted, mixed)[1], atol=1e-2)


def gradients(checkpointed: bool) -> dict[str, Tensor]:
    adapted = wan().train()
    attached(adapted)
    trained(adapted)
    if checkpointed:
        adapted.enable_gradient_checkpointing()
    run(adapted, speech()).square().mean().backward()
    return {name: parameter.grad for name, parameter in adapted.named_parameters() if "audio" in name}


def test_gradients_with_checkpointing_are_the_same() -> None:
    plain, checkpointed = gradients(False), gradients(True)
    assert len(plain) == 10 + 8 * 2
    for name, gradient in plain.items():
        assert gradient.abs().max() > 0, name
        torch.testing.assert_close(checkpointed[name], gradient, rtol=1e-5, atol=1e-9)


def test_it_learns_from_zero() -> None:
    """The projection moves once the blocks put something out."""
    adapted = wan()
    adapter = attached(adapted)
    before = adapter.proj1.weight.detach().clone()
    optimiser = torch.optim.SGD([p for name, p in adapted.named_parameters() if "audio" in name], lr=1.0)
    for _ in range(2):
        optimiser.zero_grad()
        run(adapted, speech()).square().mean().backward()
        optimiser.step()
    assert not torch.equal(adapter.proj1.weight, before)


def test_a_deep_copy_hears_for_itself() -> None:
    adapted = wan()
    attached(adapted)
    trained(adapted)
    run(adapted, speech(13), latents=4)  # what the original has seen last is not the copy's
    twin = copy.deepcopy(adapted)
    expected = run(twin, speech())
    with torch.no_grad():
        adapted.audio.proj3.weight.zero_()
    assert torch.equal(run(twin, speech()), expected)
    assert not torch.allclose(run(adapted, speech()), expected, atol=1e-3)


def test_a_lora_goes_on_top() -> None:
    adapted = wan()
    attached(adapted)
    trained(adapted)
    before = run(adapted, speech())
    peft = get_peft_model(adapted, LoraConfig(r=2, lora_alpha=2, target_modules=list(LORA_TARGETS)))
    touched = [name for name, _ in peft.named_parameters() if "lora" in name]
    assert len(touched) == 2 * 10 * 2
    assert not [name for name in touched if "audio" in name]
    assert torch.equal(run(peft, speech()), before)
    with torch.no_grad():
        for name, parameter in peft.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.1)
    assert not torch.allclose(run(peft, speech()), before, atol=1e-3)
    assert not torch.allclose(run(peft, speech()), run(peft, None), atol=1e-3)


def test_the_embedded_backbone_hears_frame_by_frame(backbone: TinyBackbone) -> None:
    """Its codec does not compress time: as many latent frames as pixel frames."""
    transformer = backbone.transformers["transformer"]
    attached(transformer, frames_a_latent=1)
    trained(transformer)
    still = torch.zeros(2, 1, 16, 16, 3, dtype=torch.uint8)
    condition = backbone.condition(still, still[:, 0], ConditionSettings(motion_frames=1, padding="zeros"))
    x, text = torch.randn(2, *backbone.latent_shape), backbone.encode_text(["a", "b"])

    def velocity(given: dict[str, Tensor]) -> Tensor:
        with showing(transformer, given):
            return backbone.velocity(transformer, x, torch.full((2,), 0.5), given, text)

    found = velocity(condition | {"audio": speech(backbone.clip_frames)})
    assert not torch.allclose(found, velocity(condition), atol=1e-2)


# What is refused


def test_speech_for_another_clip_is_refused() -> None:
    adapted = wan()
    attached(adapted)
    with pytest.raises(
        ValueError, match=r"clip of 13 frames, which are 4 latent frames, for a forward of 3; speech drives whole"
    ):
        run(adapted, speech(13))


def test_a_part_of_a_clip_is_refused() -> None:
    """Of a loop over blocks, in which two latent frames remember a past."""
    adapted = wan()
    attached(adapted)
    with causal(adapted, (1, 2)):
        run(adapted, speech())
    with causal(adapted, (2,)), pytest.raises(ValueError, match="3 latent frames, for a forward of 2"):
        run(adapted, speech(), latents=2)


def test_speech_of_another_wav2vec2_is_refused() -> None:
    adapted = wan()
    attached(adapted)
    with pytest.raises(ValueError, match="received hidden states of 2 layers and 6 channels, expected 3 and 6"):
        run(adapted, speech()[:, :, :2])


def test_the_sizes_of_multitalk() -> None:
    with torch.device("meta"):
        adapter = AudioAdapter()
    shapes = {name: tuple(parameter.shape) for name, parameter in adapter.named_parameters() if "weight" in name}
    assert shapes == {
        "proj1.weight": (512, 46080),
        "proj1_vf.weight": (512, 73728),
        "proj2.weight": (512, 512),
        "proj3.weight": (24576, 512),
        "norm.weight": (768,),
    }
