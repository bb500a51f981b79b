"""Block-causal attention on the real WanTransformer3DModel, against diffusers' own attention under a dense mask."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import torch
from diffusers import FirstBlockCacheConfig, WanTransformer3DModel
from diffusers.models.attention_dispatch import dispatch_attention_fn
from peft import LoraConfig, get_peft_model
from torch import Tensor, nn

from svi.backbones import attention
from svi.backbones.attention import CausalProcessor, Written, blocks, causal, stay_causal, teacher_forcing
from svi.backbones.backbone import Backbone, Condition
from svi.backbones.tiny import TinyBackbone
from svi.backbones.wan import WanBackbone
from svi.backbones.wrapped import LORA_TARGETS
from svi.settings import BackboneSettings, ConditionSettings, DataSettings
from tests.svi.masked import POSITIONS, TOKENS, call, dense, latents, of_blocks, small_wan
from tests.svi.wan_folder import KINDS, Kind, WanFolder

torch.set_num_threads(1)

SIZES = ((1, 2, 2), (2, 3), (1, 1, 1, 1, 1))
T = (0.9, 0.1, 0.3, 0.6, 0.2)


def close(ours: Tensor, theirs: Tensor, atol: float = 1e-5) -> None:
    assert theirs.std() > 0.1
    torch.testing.assert_close(ours, theirs, atol=atol, rtol=0)


def adapted(model: nn.Module) -> nn.Module:
    torch.manual_seed(1)
    config = LoraConfig(r=2, target_modules=list(LORA_TARGETS), init_lora_weights=False)
    wrapped: nn.Module = get_peft_model(model, config)
    return wrapped


# Against diffusers


@pytest.mark.parametrize("sizes", SIZES)
def test_causal_is_a_dense_mask(sizes: tuple[int, ...]) -> None:
    model, x, block = small_wan(), latents(5), of_blocks(sizes)
    with torch.no_grad():
        with dense(model, block[:, None] >= block[None]):
            theirs = call(model, x, T)
        with causal(model, sizes):
            close(call(model, x, T), theirs)


@pytest.mark.parametrize("sizes", SIZES)
def test_teacher_forcing_is_a_dense_mask_at_the_positions_of_the_clean_frames(sizes: tuple[int, ...]) -> None:
    model, x, block = small_wan(), latents(10), of_blocks(sizes)
    q, k = block[:, None], block[None]
    seen = torch.cat([torch.cat([q >= k, torch.zeros(5, 5).bool()], 1), torch.cat([q > k, q == k], 1)])
    with torch.no_grad():
        with dense(model, seen, copies=2):
            theirs = call(model, x, (1,) * 5 + T)
        with teacher_forcing(model, sizes):
            close(call(model, x, (1,) * 5 + T), theirs)


def test_one_block_is_the_usual_model_to_the_last_bit() -> None:
    model, x = small_wan(), latents(5)
    with torch.no_grad():
        usual = call(model, x, T)
        with causal(model, (5,)):
            assert torch.equal(call(model, x, T), usual)
        with causal(model, (1, 4)):
            assert not torch.allclose(call(model, x, T), usual, atol=1e-2)
        assert torch.equal(call(model, x, T), usual)


def test_the_inner_context_counts_and_an_error_ends_it() -> None:
    model, x = small_wan(), latents(5)
    with torch.no_grad():
        usual = call(model, x, T)
        with causal(model, (1, 4)):
            outer = call(model, x, T)
            with causal(model, (5,)):
                assert torch.equal(call(model, x, T), usual)
            assert torch.equal(call(model, x, T), outer)
        with pytest.raises(KeyError), causal(model, (1, 4)):
            raise KeyError
        assert torch.equal(call(model, x, T), usual)


def test_a_model_that_stays_causal_is_so_for_any_number_of_frames(tmp_path: Path) -> None:
    """Wrapped or not; inside a context that one counts; in files it is the usual model."""
    model, film = small_wan(), latents(6)
    usual = call(model, film[:, :, :5], T)
    stay_causal(adapted(model), 2)
    with torch.no_grad():
        for frames, sizes in ((5, (1, 2, 2)), (6, (1, 1, 2, 2)), (1, (1,))):
            x, t = film[:, :, :frames], (*T, 0.4)[:frames]
            with causal(model, sizes):
                wanted = call(model, x, t)
            assert torch.equal(call(model, x, t), wanted)
        stay_causal(model, 4)
        with causal(model, (1, 4)):
            wanted = call(model, film[:, :, :5], T)
        assert torch.equal(call(model, film[:, :, :5], T), wanted)
    other = small_wan()
    stay_causal(other, 1)
    other.save_pretrained(tmp_path)
    with torch.no_grad():
        assert torch.equal(call(WanTransformer3DModel.from_pretrained(tmp_path), film[:, :, :5], T), usual)


# What is seen


def altered(x: Tensor, frames: slice) -> Tensor:
    x = x.clone()
    x[:, :, frames] = latents(x.shape[2], seed=2)[:, :, frames]
    return x


def test_later_frames_change_nothing_earlier() -> None:
    model, x = small_wan(), latents(5)
    with torch.no_grad(), causal(model, (1, 2, 2)):
        before, after = (call(model, y, T) for y in (x, altered(x, slice(3, None))))
    assert torch.equal(before[:, :, :3], after[:, :, :3])
    assert not torch.isclose(before[:, :, 3:], after[:, :, 3:], atol=1e-3).all()


def test_teacher_forcing_shows_a_noisy_block_the_clean_blocks_before_it() -> None:
    """What each block of [clean | noisy] depends on, one frame at a time."""
    model, x = small_wan(), latents(6)
    reads = torch.zeros(6, 6, dtype=torch.bool)
    with torch.no_grad(), teacher_forcing(model, (1, 2)):
        before = call(model, x, (1,) * 3 + (0.2,) * 3)
        for frame in range(6):
            after = call(model, altered(x, slice(frame, frame + 1)), (1,) * 3 + (0.2,) * 3)
            reads[:, frame] = (before != after).movedim(2, 0).flatten(1).any(1)
    assert reads.int().tolist() == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [1, 0, 0, 0, 1, 1],
        [1, 0, 0, 0, 1, 1],
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_every_wan_can_be_causal(kind: Kind, wan_folder: WanFolder) -> None:
    data = DataSettings(height=32, width=64, clip_frames=9)
    wan = WanBackbone.load(wan_folder(kind), BackboneSettings(name="folder", text_tokens=512), data)  # as Wan 2.1 needs
    image = torch.randint(0, 256, (1, 1, 32, 64, 3), dtype=torch.uint8)
    later_frames_change_nothing(
        wan, wan.condition(image, image[:, 0], ConditionSettings(motion_frames=1, padding="zeros"))
    )


def test_the_embedded_backbone_can_be_causal(backbone: TinyBackbone) -> None:
    c, *rest = backbone.latent_shape
    later_frames_change_nothing(backbone, {"latents": torch.zeros(1, c + 4, *rest)})


def later_frames_change_nothing(backbone: Backbone, given: Condition) -> None:
    """Before the last frame; as they do in the usual model."""
    model, x = backbone.transformers["transformer"].eval(), torch.randn(2, 1, *backbone.latent_shape)
    x[1, :, :, :-1] = x[0, :, :, :-1]
    t, text = torch.tensor([0.3]), backbone.encode_text(["a cat"])
    with torch.no_grad():
        usual = [backbone.velocity(model, one, t, given, text)[:, :, :-1] for one in x]
        with causal(model, (x.shape[3] - 1, 1)):
            ours = [backbone.velocity(model, one, t, given, text)[:, :, :-1] for one in x]
    assert torch.equal(*ours)
    assert (usual[0] - usual[1]).abs().max() > 1e-4


# Training


@pytest.mark.parametrize("mode", [lambda m: causal(m, (2, 4)), lambda m: teacher_forcing(m, (1, 2))])
@pytest.mark.parametrize("wrapped", [False, True])
def test_gradient_checkpointing_after_the_context_gives_the_same_gradients(
    mode: Callable[[nn.Module], AbstractContextManager[None]], wrapped: bool
) -> None:
    x, found = latents(6), []
    for checkpointing in (False, True):
        wan = small_wan()
        if checkpointing:
            wan.enable_gradient_checkpointing()
        model = adapted(wan) if wrapped else wan
        with mode(model):
            loss = call(model, x, (1,) * 3 + (0.2,) * 3).square().mean()
        call(model, x, (0.5,) * 6)  # another forward comes in between
        loss.backward()  # type: ignore[no-untyped-call]
        found.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    plain, checkpointed = found
    assert any("attn1" in name for name in plain)
    assert plain.keys() == checkpointed.keys()
    for name, gradient in plain.items():
        torch.testing.assert_close(checkpointed[name], gradient)


def test_no_gradient_reaches_what_is_not_seen() -> None:
    model, x = small_wan(), latents(5).requires_grad_()
    with causal(model, (1, 2, 2)):
        call(model, x, T)[:, :, :3].sum().backward()  # type: ignore[no-untyped-call]
    assert x.grad is not None
    assert (x.grad[:, :, 3:] == 0).all()
    assert (x.grad[:, :, :3] != 0).any()


# How it is run


def test_the_attention_backend_stays_and_may_be_set_afterwards() -> None:
    model = small_wan()
    model.set_attention_backend("_native_math")
    with causal(model, (5,)):
        processors = [block.attn1.processor for block in model.blocks]
    assert all(isinstance(processor, CausalProcessor) for processor in processors)
    assert {processor._attention_backend for processor in processors} == {"_native_math"}
    model.set_attention_backend("native")
    assert {processor._attention_backend for processor in processors} == {"native"}
    assert {type(block.attn2.processor).__name__ for block in model.blocks} == {"WanAttnProcessor"}


def test_bfloat16_is_that_of_diffusers() -> None:
    model, x = small_wan().to(torch.bfloat16), latents(5).bfloat16()
    model.rope = small_wan().rope  # which diffusers keeps in float32
    written: Written = {}
    with torch.no_grad():
        usual = call(model, x, T)
        with causal(model, (5,), written=written):
            assert torch.equal(call(model, x, T), usual)
    assert {tensor.dtype for pair in written.values() for tensor in pair} == {torch.bfloat16}


@pytest.mark.slow
def test_compiled_blocks_do_the_same() -> None:
    model, x = small_wan(), latents(5)
    with torch.no_grad(), causal(model, (2, 3)):
        eager = call(model, x, T)
        model.compile_repeated_blocks()
        close(call(model, x, T), eager)


def test_what_cannot_be_is_refused() -> None:
    model = small_wan()
    with torch.no_grad():
        with causal(model, (2, 2)), pytest.raises(ValueError, match="received 5, expected 4"):
            call(model, latents(5), T)
        longer = POSITIONS + 1
        with (
            causal(model, (longer,)),
            pytest.raises(ValueError, match=f"received {longer}, expected at most {POSITIONS}"),
        ):
            call(model, latents(longer), (0.5,) * longer)
    for sizes in ((), (0, 2)):
        with pytest.raises(ValueError, match="frames of the blocks"), causal(model, sizes):
            pass
    model.enable_cache(FirstBlockCacheConfig(threshold=0.1))
    with pytest.raises(ValueError, match=r"speed\.cache=none"), causal(model, (5,)):
        pass


def test_the_first_frame_is_a_block_of_its_own_and_the_rest_comes_after_it() -> None:
    assert [blocks(*pair) for pair in ((5, 2), (6, 3), (21, 4), (2, 3), (1, 3))] == [
        (1, 2, 2),
        (1, 2, 3),
        (1, 4, 4, 4, 4, 4),
        (1, 1),
        (1,),
    ]


def test_hidden_keys_are_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Queries times keys of a layer: half a square for blocks of one frame."""
    pairs = []

    def counted(query: Tensor, key: Tensor, value: Tensor, **rest: object) -> Tensor:
        pairs.append(query.shape[1] * key.shape[1])
        out: Tensor = dispatch_attention_fn(query, key, value, **rest)
        return out

    monkeypatch.setattr(attention, "dispatch_attention_fn", counted)
    model = small_wan(layers=1)
    with torch.no_grad(), causal(model, [1] * 5):
        call(model, latents(5), T)
    assert sum(pairs) == TOKENS**2 * (1 + 2 + 3 + 4 + 5)
