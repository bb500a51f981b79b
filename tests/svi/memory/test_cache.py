"""Blocks made against a cache, on the real WanTransformer3DModel, are those of one forward under a mask."""

import pytest
import torch
from diffusers import WanTransformer3DModel
from diffusers.models.attention_dispatch import dispatch_attention_fn
from torch import Tensor

from svi.backbones import attention
from svi.backbones.attention import teacher_forcing
from svi.memory.cache import Cache
from svi.memory.ema import Ema
from svi.memory.half import Half
from svi.memory.memory import Memory
from svi.memory.sink import Sink
from svi.memory.sparse import Sparse
from svi.memory.window import Window
from tests.svi.masked import POSITIONS, TOKENS, call, dense, latents, of_blocks, small_wan

torch.set_num_threads(1)

SIZES, NOISY = (1, 2, 2, 3), 0.3
SPANS = [(0, 1), (1, 3), (3, 5), (5, 8)]
MEMORIES = (Window(4), Sink(1, 3), Half(4), Ema(2, 2), Sparse(2, every=3, older=2))


def made(model: WanTransformer3DModel, memory: Memory, clean: Tensor, noisy: Tensor) -> Tensor:
    """The noisy frames' output, block by block, each after the clean blocks before it were written."""
    cache, out = Cache(memory), []
    for begin, end in SPANS:
        size = end - begin
        with cache.reading(model, size):
            out.append(call(model, noisy[:, :, begin:end], [NOISY] * size))
        with cache.writing(model, size):
            call(model, clean[:, :, begin:end], [1] * size)
    return torch.cat(out, dim=2)


@torch.no_grad()
def test_a_cached_step_is_a_masked_forward_of_everything() -> None:
    """Of [clean blocks before | the noisy block], by diffusers' own attention."""
    model, clean, noisy = small_wan(), latents(8), latents(8, seed=2)
    ours = made(model, Window(8), clean, noisy)
    for row, (begin, end) in enumerate(SPANS):
        block = of_blocks(SIZES[: row + 1])
        x = torch.cat([clean[:, :, :begin], noisy[:, :, begin:end]], dim=2)
        with dense(model, block[:, None] >= block[None]):
            theirs = call(model, x, [1] * begin + [NOISY] * (end - begin))[:, :, begin:]
        torch.testing.assert_close(ours[:, :, begin:end], theirs, atol=1e-5, rtol=0)
    assert ours.std() > 0.1


@torch.no_grad()
def test_a_cached_step_is_what_teacher_forcing_trains() -> None:
    model, clean, noisy = small_wan(), latents(8), latents(8, seed=2)
    with teacher_forcing(model, SIZES):
        trained = call(model, torch.cat([clean, noisy], dim=2), [1] * 8 + [NOISY] * 8)[:, :, 8:]
    torch.testing.assert_close(made(model, Window(8), clean, noisy), trained, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("last", [0, 1, 3])
def test_a_sliding_window_is_a_band_of_the_whole_film(last: int) -> None:
    """At window-relative positions, though those of the whole film count from its beginning."""
    model, film = small_wan(), latents(POSITIONS)
    cache, ours = Cache(Window(last)), []
    for begin in range(0, POSITIONS, 2):
        with cache.writing(model, 2):
            ours.append(call(model, film[:, :, begin : begin + 2], [1, 1]))
    frame = torch.arange(POSITIONS)
    start, end = frame // 2 * 2, frame // 2 * 2 + 2
    with dense(model, (frame[None] >= start[:, None] - last) & (frame[None] < end[:, None])):
        theirs = call(model, film, [1] * POSITIONS)
    torch.testing.assert_close(torch.cat(ours, dim=2), theirs, atol=1e-5, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("memory", MEMORIES, ids=str)
def test_a_film_of_any_length_takes_one_memory_and_one_time(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer than the model has positions: as many bytes and as many attended tokens at the end as in the middle."""
    keys: list[int] = []

    def counted(query: Tensor, key: Tensor, value: Tensor, **rest: object) -> Tensor:
        keys.append(key.shape[1])
        out: Tensor = dispatch_attention_fn(query, key, value, **rest)
        return out

    monkeypatch.setattr(attention, "dispatch_attention_fn", counted)
    model, cache, bytes_kept, attended = small_wan(layers=2), Cache(memory), [], []
    for block in range(2 * POSITIONS // 2):
        keys.clear()
        with cache.writing(model, 2):
            out = call(model, latents(2, seed=block), [1, 1])
        attended.append(sum(keys))
        bytes_kept.append(held(cache))
    assert cache.seen == 2 * POSITIONS
    assert out.isfinite().all()
    late = slice(POSITIONS // 4, None)
    assert set(attended[late]) == {2 * (4 + 2) * TOKENS}  # layers, kept and new frames
    assert set(bytes_kept[late]) == {
        4 * 2 * 2 * (2 * TOKENS * 24 * 4)
    }  # frames, layers, K and V, [batch, tokens, channels] float32


def held(cache: Cache) -> int:
    """Bytes that the cache keeps alive, views counted by what they are views of."""
    tensors = [tensor for frame in cache.kept.frames for tensor in (*frame.keys, *frame.values)]
    return sum({t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}.values())


@torch.no_grad()
@pytest.mark.parametrize("memory", MEMORIES, ids=str)
def test_what_is_kept_is_seen_and_what_is_gone_is_not(memory: Memory) -> None:
    """With one layer, a block depends on an earlier frame if and only if the memory holds something of it."""
    model, film = small_wan(layers=1), latents(10)
    reached = set()
    for frame in range(10):
        other = film.clone()
        other[:, :, frame] += 1
        if not torch.equal(*(after(model, memory, x) for x in (film, other))):
            reached.add(frame)
    wanted = {
        Window: {6, 7, 8, 9},
        Sink: {0, 7, 8, 9},
        Half: {0, 1, 8, 9},
        Ema: set(range(10)),
        Sparse: {3, 6, 8, 9},
    }
    assert reached == wanted[type(memory)]


def after(model: WanTransformer3DModel, memory: Memory, film: Tensor) -> Tensor:
    cache = Cache(memory)
    for begin in range(0, film.shape[2], 2):
        with cache.writing(model, 2):
            call(model, film[:, :, begin : begin + 2], [1, 1])
    with cache.reading(model, 1):
        return call(model, latents(1, seed=3), [NOISY])


@torch.no_grad()
def test_reading_remembers_nothing_and_an_error_neither() -> None:
    model, cache = small_wan(), Cache(Window(4))
    with cache.reading(model, 2):
        call(model, latents(2), [NOISY] * 2)
    with pytest.raises(ValueError, match="expected 2"), cache.writing(model, 2):
        call(model, latents(3), [1] * 3)
    assert (len(cache.kept), cache.seen) == (0, 0)
    with cache.writing(model, 2):
        call(model, latents(2, seed=5), [NOISY] * 2)
        call(model, latents(2), [1] * 2)  # the last one counts
    twin = Cache(Window(4))
    with twin.writing(model, 2):
        call(model, latents(2), [1] * 2)
    for ours, theirs in zip(cache.kept.frames, twin.kept.frames, strict=True):
        assert ours.index == theirs.index
        assert all(
            torch.equal(*pair) for pair in zip(ours.keys + ours.values, theirs.keys + theirs.values, strict=True)
        )


@torch.no_grad()
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("memory", MEMORIES, ids=str)
def test_a_cache_goes_on_from_its_state_to_the_last_bit(memory: Memory, dtype: torch.dtype) -> None:
    """Through NumPy, which has no bfloat16; what flows into a sink is float32 beside it."""
    model, film = small_wan().to(dtype), latents(16)
    whole, cut = Cache(memory), Cache(memory)
    for begin in range(0, 16, 2):
        for cache in (whole, cut):
            with cache.writing(model, 2):
                call(model, film[:, :, begin : begin + 2], [1, 1])
        state = {name: torch.from_numpy(x.numpy()) for name, x in cut.state().items()}
        cut = Cache(memory)
        cut.load(state, torch.device("cpu"))
    assert cut.seen == whole.seen == 16
    assert [frame.index for frame in cut.kept.frames] == [frame.index for frame in whole.kept.frames]
    for ours, theirs in zip(cut.kept.frames, whole.kept.frames, strict=True):
        for mine, other in zip(ours.keys + ours.values, theirs.keys + theirs.values, strict=True):
            assert mine.dtype == other.dtype
            assert torch.equal(mine, other)
    other = Cache(memory)
    other.load(Cache(memory).state(), torch.device("cpu"))
    assert (len(other.kept), other.seen) == (0, 0)


def test_gradients_pass_through_a_block_after_the_cache_has_moved_on() -> None:
    """And end at the past."""
    found = []
    for checkpointing in (False, True):
        model, cache = small_wan(), Cache(Window(2))
        if checkpointing:
            model.enable_gradient_checkpointing()
        first, second = latents(2).requires_grad_(), latents(2, seed=2).requires_grad_()
        with cache.writing(model, 2):
            call(model, first, [1, 1])
        with cache.writing(model, 2):
            loss = call(model, second, [NOISY] * 2).square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        assert first.grad is None
        assert second.grad is not None
        found.append([second.grad, *(parameter.grad for parameter in model.parameters() if parameter.grad is not None)])
    for plain, checkpointed in zip(*found, strict=True):
        torch.testing.assert_close(checkpointed, plain)
